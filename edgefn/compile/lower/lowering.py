"""The build machine's half of an inference stack: a captured network becomes a portable artifact.

    probe    whether the stack's toolchain works here
    lower    network → portable artifact, in the bundle

The box's half is `edgefn.backends.backend.Backend`, of the same name. A lowering never decides whether its artifact is
right: the golden samples do (edgefn.compile.judging.verify).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from edgefn.accuracy.bound import Bound
from edgefn.accuracy.rules import Judging
from edgefn.quantization import Quantize
from edgefn.spec import ModelSpec
from edgefn.targets.probe import Probe
from edgefn.targets.profiles import Target

if TYPE_CHECKING:
    from edgefn.golden import GoldenSample


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


class Lowering(Protocol):
    """The build's half of one inference stack. Importing its module must not import the stack: the methods do."""

    name: str
    """The name of the backend that runs what it makes."""

    def probe(self) -> Probe:
        """Tell whether the toolchain is installed here, with its version, or what to install.

        The version is part of what an artifact is cached by.
        """

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Write the portable artifact of `target` into `folder`.

        Raise BuildError that names the model and the target.
        """
