"""A captured network as files, for the processes that lower it: written once a model, read by each compiler.

    program.pt2       torch.export.save of the program, its weights in it; or, of a model that is an ONNX file,
    network.onnx      that file, normalised (`files.onnx_capture`)
    capture.json      the spec with the network's real outputs, and the bytes of its weights

ONNX is exported from the program when first asked for, once for all compilers of the model: byte for byte what the
program gives before it is saved (docs/decisions/compilers.md).
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgefn import golden
from edgefn.accuracy.bound import Bound
from edgefn.accuracy.rules import Judging, Network
from edgefn.compile.cache.cache import Cache, hash_file
from edgefn.compile.capture import foreign, provenance
from edgefn.compile.dimensions import rounding
from edgefn.golden import GoldenSample
from edgefn.quantization import Quantize
from edgefn.spec import ModelSpec
from edgefn.system.durable import locked

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from edgefn.compile.capture.capture import Capture
    from edgefn.compile.files.onnx_capture import OnnxCapture
    from edgefn.compile.jobs.job import Job
    from edgefn.session import Arrays, Session

_PROGRAM, _INFO = "program.pt2", "capture.json"
ONNX = "onnx"
"""The kind of a cache entry: ONNX files by their capture's key and opset."""

SHARED = "shared"
"""The kind of a cache entry: what compilers made of a capture and its calibration, for each other."""


class SnapshotInfo(msgspec.Struct, frozen=True):
    """The facts of a snapshot that can be read without PyTorch."""

    model: ModelSpec
    weights_bytes: int
    network: Network = Network()
    libraries: tuple[str, ...] = ()
    """Modules that register operators of the program: to be imported before it is read."""
    telling: dict[str, list[int]] = {}
    """Lengths at which artifacts must be tried, by word."""


def write(capture: Capture | OnnxCapture, folder: Path) -> None:
    """Write the snapshot of `capture` into `folder`."""
    from edgefn.compile.files.onnx_capture import OnnxCapture

    if isinstance(capture, OnnxCapture):
        found = SnapshotInfo(capture.model, capture.save(folder), Network(coarse=capture.coarse))
    else:
        network = provenance.network(capture.program, list(capture.model.outputs))
        telling = {word: list(lengths) for word, lengths in capture.telling.items()}
        found = SnapshotInfo(
            capture.model, _save(capture, folder), network, foreign.libraries(capture.program), telling
        )
    (folder / _INFO).write_bytes(msgspec.json.encode(found))


def _save(capture: Capture, folder: Path) -> int:
    import torch

    with rounding.kept():
        torch.export.save(capture.program, folder / _PROGRAM)
    return sum(tensor.nbytes for tensor in capture.program.state_dict.values())


def info(folder: Path) -> SnapshotInfo:
    """Read the facts of the snapshot in `folder`."""
    return msgspec.json.decode((folder / _INFO).read_bytes(), type=SnapshotInfo)


class Snapshot:
    """A snapshot as a compiler sees it; satisfies `edgefn.compile.lower.lowering.Captured`."""

    def __init__(self, job: Job) -> None:
        self._folder = Path(job.capture)
        self._cache = Cache(Path(job.cache))
        self._calibration = job.calibration
        self._golden, self._numbers = job.golden, job.judges
        self.model: ModelSpec = info(self._folder).model
        self.sizes: Mapping[str, int] = job.sizes
        self.bound: Bound | None = job.bound
        self.judging: Judging = job.judging
        self.quantize: Quantize = job.quantize
        self.profiles = Path(job.profiles) if job.profiles else None

    @cached_property
    def program(self) -> torch.export.ExportedProgram:
        """Return the `torch.export.ExportedProgram`, which is read at the first use.

        Raises BuildError if the model has no program.
        """
        import torch

        if self._file is not None:
            return self._file.program
        for library in info(self._folder).libraries:
            importlib.import_module(library)
        with rounding.kept():
            return torch.export.load(self._folder / _PROGRAM)

    @cached_property
    def calibration(self) -> Sequence[GoldenSample]:
        """Return real inputs with their eager outputs; () if the target is float."""
        return golden.load(Path(self._calibration)) if self._calibration else ()

    @cached_property
    def judges(self) -> Sequence[GoldenSample]:
        """Return the samples that the gate will judge the artifact by; () if the target is float."""
        if not self._calibration:
            return ()
        samples, held_out = golden.load(Path(self._golden)), golden.load_pairs(Path(self._calibration)).held_out
        return (*(samples[number] for number in self._numbers), *held_out)

    def onnx(self, opset: int | None = None) -> Path:
        """Return the path of the program's ONNX file, which must not be written to.

        Raises BuildError as `Capture.onnx` does.
        """
        with locked(self._folder):  # a second compiler of the model waits for the first one's export
            key = f"{self._folder.name}-{opset or 'any'}"
            return self._cache.obtain(ONNX, key, lambda into: self._export(opset, into)) / "model.onnx"

    @property
    def own_opset(self) -> int | None:
        """Return the opset of a model that is an ONNX file, else None; see `Captured`."""
        return self._file.own_opset if self._file is not None else None

    def shared(self, name: str, fill: Callable[[Path], object]) -> Path:
        """Return a folder that `fill` wrote for the first compiler that asked for it; others wait meanwhile."""
        calibration = Path(self._calibration)
        key = f"{self._folder.name}-{hash_file(calibration)[:16]}-{name}"
        with locked(calibration.parent):
            return self._cache.obtain(SHARED, key, fill)

    def eager(self) -> Session:
        """Return a session of the network in eager PyTorch.

        It runs the program's operators one after the other, or an ONNX file unchanged.
        """
        if self._file is not None:
            return self._file.session()
        return ProgramSession(self.program, self.model)

    @cached_property
    def _file(self) -> OnnxCapture | None:
        from edgefn.compile.files import onnx_capture

        path = self._folder / onnx_capture.FILE
        return onnx_capture.OnnxCapture(self.model, path) if path.is_file() else None

    def _export(self, opset: int | None, into: Path) -> None:
        from edgefn.compile.capture.capture import Capture
        from edgefn.compile.dimensions.symbols import symbols_of

        capture = self._file or Capture(self.model, self.program, symbols_of(self.program, self.model))
        for path in capture.onnx(opset).parent.iterdir():
            shutil.copyfile(path, into / path.name)


class ProgramSession:
    """Runs an exported program by eager PyTorch; satisfies `edgefn.session.Session`."""

    def __init__(self, program: torch.export.ExportedProgram, spec: ModelSpec) -> None:
        self._module = program.module(check_guards=False)  # some are about memory, not about what is right
        self._spec = spec

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Run the program on `inputs`, and return its outputs as fresh arrays by name."""
        import numpy as np
        import torch

        tensors = [torch.from_numpy(np.array(inputs[name], order="C")) for name in self._spec.inputs]
        with torch.inference_mode():
            outputs = self._module(*tensors)
        return {
            name: np.array(tensor.numpy(), order="C") for name, tensor in zip(self._spec.outputs, outputs, strict=True)
        }


def forget(cache: Cache, capture_key: str) -> None:
    """Remove everything that was made of an earlier capture of that key."""
    for kind in (ONNX, SHARED):
        for folder in (cache.root / kind).glob(f"{capture_key}-*"):
            shutil.rmtree(folder, ignore_errors=True)
