"""The one signature that every inference stack implements.

    build machine    probe → lower      network → portable artifact, in the bundle
    box, at install  probe → finish     portable artifact → finished for this very chip, in a cache
    box, template    load               finished artifact → a session that runs

A backend never decides whether an artifact is right: the golden samples do (edgefn.compile.judging.verify on the build
machine, the box's finisher at install).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from edgefn.accuracy.rules import Judging
from edgefn.bundle.config import Bound
from edgefn.errors import BundleError
from edgefn.quantization import Quantize
from edgefn.spec import ModelSpec
from edgefn.targets.profiles import Target

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.golden import GoldenSample

    Arrays = Mapping[str, NDArray[np.generic]]


class Probe(msgspec.Struct, frozen=True):
    """Whether a backend can work here, and what to do where it cannot."""

    available: bool
    version: str = ""
    has: str = ""
    fix: str = ""


class FinishNeeds(msgspec.Struct, frozen=True):
    """What `finish` and the proof run need of a box beyond the bundle, Python and the engine's own files.

    Both run in a process that is confined: it reads those, and writes its own unfinished folder. Paths are absolute.

    devices       device nodes that it reads, writes and controls
    reads         files and folders that it reads, e.g. a toolkit below /opt
    programs      executables that it starts; without any it can start none
    memory_bytes  what it may allocate, where that is more than a box allows by the artifact's size
    growth        bytes of the finished artifact for each byte of the portable one, at most; 0: the box's own bound
    """

    devices: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    memory_bytes: int = 0
    growth: int = 0


class Captured(Protocol):
    """A network caught by `edgefn.compile.capture.capture`, in the forms that lowering starts from.

    sizes        of the symbolic dimensions in the real samples, for stacks that want static shapes
    calibration  real inputs with their eager outputs, none of them a golden sample; () where the target is float
    judges       samples that the gate will hold the artifact against; () where the target is float
    judging      what artifacts of the model are judged by; `bound` is what the author asks for beside
    quantize     how the author wants int8 made
    profiles     the project's folder of profiles beside edgefn's own; None where there is no project
    """

    @property
    def sizes(self) -> Mapping[str, int]: ...

    @property
    def calibration(self) -> Sequence[GoldenSample]: ...

    @property
    def judges(self) -> Sequence[GoldenSample]: ...

    @property
    def judging(self) -> Judging: ...

    @property
    def bound(self) -> Bound | None: ...

    @property
    def quantize(self) -> Quantize: ...

    @property
    def profiles(self) -> Path | None: ...

    @property
    def model(self) -> ModelSpec: ...

    @property
    def program(self) -> Any:
        """Return the `torch.export.ExportedProgram`; its batch dimension is symbolic if the spec's is.

        Raise BuildError with the remedy when the model is an ONNX file.
        """

    @property
    def own_opset(self) -> int | None:
        """Return the opset of a model that is an ONNX file, which float artifacts keep; None of a program."""

    def onnx(self, opset: int | None = None) -> Path:
        """Return the path of an ONNX file of the program, with the opset asked for.

        Raise BuildError when it cannot have that opset.
        """

    def shared(self, name: str, fill: Callable[[Path], object]) -> Path:
        """Return a folder called `name` that `fill` has written: once for all compilers, or at each call.

        `fill` uses only the network and its calibration.
        """


class Lowered(msgspec.Struct, frozen=True):
    """What a backend made of a captured network.

    toolchain  versions by name of what made it
    opset      ONNX opset read back from the file; 0 where it is no ONNX
    quantized  int8 operators by type, as counted in the artifact; empty for a float one
    kept       layers that a sensitivity scan left in float
    share      what of an int8 one multiplies in eight bits: the share of its "operations" and of its "weights"
    """

    toolchain: dict[str, str]
    opset: int = 0
    quantized: dict[str, int] = {}
    kept: tuple[str, ...] = ()
    share: dict[str, float] = {}


class Session(Protocol):
    """A loaded artifact. Inputs and outputs are C-contiguous arrays by name; outputs are owned by the caller."""

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]: ...


class Backend(Protocol):
    """One inference stack. Importing the module must not import the stack: the methods do.

    A backend has a `finish_needs: FinishNeeds`, too, if its `finish` needs more than files.
    """

    name: str
    fork_safe: bool
    """True when a session made before fork() runs in the child: it starts no threads."""

    def probe(self) -> Probe:
        """Tell whether the stack is installed here, with its version, or what to install."""

    def warm_up(self) -> None:
        """Do the first-time work of `load` now. The zygote calls it, so it must start no thread."""

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Write the portable artifact of `target` into `folder`.

        Raise BuildError that names the model and the target.
        """

    def finish(self, portable: Path, folder: Path) -> None:
        """Write the artifact optimised for this machine into `folder`, from the portable one's folder."""

    def load(self, folder: Path, *, threads: int = 1, batched: bool = False) -> Session:
        """Load a finished (or portable) artifact as a session.

        `threads` counts the intra-op threads, the caller's included. `batched`: runs of many rows will come.
        `fork_safe` holds for one thread.
        """


def finish_needs(backend: Backend) -> FinishNeeds:
    """Return what `backend` declares that its `finish` needs; nothing where it declares none."""
    declared = getattr(backend, "finish_needs", FinishNeeds())
    if not isinstance(declared, FinishNeeds):
        raise BundleError(
            f"backend {backend.name!r} has a finish_needs that is not a FinishNeeds: update its distribution"
        )
    return declared
