"""OpenVINO behind the `Backend` protocol.

lower    model.onnx: any CPU that OpenVINO runs on can read it. shapes.json: the samples' sizes
finish   usual.blob: compiled for this CPU and those sizes; for all others the IR beside it, model.xml and model.bin
load     the blob, mapped; 60 ms where compiling takes 300
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgefn import extras
from edgefn.backends import output_names, small_files
from edgefn.backends.backend import Lowered, Probe
from edgefn.errors import BundleError
from edgefn.spec import MAX_DIMENSION

if TYPE_CHECKING:
    from edgefn.backends.backend import Captured
    from edgefn.backends.openvino.session import OpenVinoSession
    from edgefn.targets.profiles import Target

PORTABLE, MODEL, SHAPES, BLOB = "model.onnx", "model.xml", "shapes.json", "usual.blob"

OUTPUTS = "outputs.json"
"""The names of the outputs in the file, beside its shapes."""

BF16 = "bf16"
"""A file that is empty, beside those of an artifact that computes in bfloat16."""


class OpenVino:
    """The backend called "openvino"."""

    name = "openvino"
    fork_safe = True  # it starts threads as it loads, but a run on one thread is the caller's own

    def probe(self) -> Probe:
        """Tell whether openvino is installed; read its metadata, never import it."""
        from edgefn.targets.facts import installed

        found = installed("openvino", "openvino")
        return Probe(True, found, f"openvino {found}, CPU") if found else Probe(False, fix=extras.command("openvino"))

    def warm_up(self) -> None:
        """Import openvino."""
        from edgefn.backends.openvino.library import import_openvino

        import_openvino()

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Write the model as ONNX into `folder`, in float32 or with int8 operators.

        bf16 is chosen when it runs, not in the file. Raise BuildError that names the model and the target, GateError
        with the figures.
        """
        from edgefn.backends.openvino import lowering

        folder.mkdir(parents=True, exist_ok=True)
        lowered = lowering.lower(captured, target, folder / PORTABLE)
        shapes = {
            name: tuple(captured.sizes.get(size, 1) if isinstance(size, str) else size for size in tensor.shape)
            for name, tensor in captured.model.inputs.items()
        }
        (folder / SHAPES).write_bytes(msgspec.json.encode(shapes))
        names = [output_names.inside(name, captured.model.inputs) for name in captured.model.outputs]
        (folder / OUTPUTS).write_bytes(msgspec.json.encode(names))
        if target.precision == BF16:
            (folder / BF16).touch()
        return lowered

    def finish(self, portable: Path, folder: Path) -> None:
        """Write `usual.blob` into `folder`, and the IR for other sizes than the samples'."""
        from edgefn.backends.openvino import session

        folder.mkdir(parents=True, exist_ok=True)
        shapes, names = _shapes(portable), _names(portable)
        (folder / SHAPES).write_bytes(msgspec.json.encode(shapes))
        (folder / OUTPUTS).write_bytes(msgspec.json.encode(names))
        if (portable / BF16).exists():
            (folder / BF16).touch()
        model = session.read(portable / PORTABLE)
        session.save(model, folder / MODEL)
        model.reshape({name: list(shape) for name, shape in shapes.items()})
        (folder / BLOB).write_bytes(session.compiled(model, precision=_precision(portable)).export_model().getvalue())

    def load(self, folder: Path, *, threads: int = 1, batched: bool = False) -> OpenVinoSession:
        """Load the finished artifact in `folder`, or the portable one. Raise BundleError."""
        from edgefn.backends.openvino import session

        shapes, finished, precision = _shapes(folder), (folder / MODEL).exists(), _precision(folder)
        path, names = folder / (MODEL if finished else PORTABLE), _names(folder)
        if (blob := folder / BLOB).exists() and threads == 1 and not batched:
            usual = session.imported(blob, threads, precision, names)
            return session.OpenVinoSession(usual, shapes, path, threads, precision)
        model = session.read(path)
        if not batched:
            model.reshape({name: list(shape) for name, shape in shapes.items()})
        made = session.compiled(model, threads, precision)
        usual = session.Runner(made, names)
        if batched:  # runs of many sizes will come: one that fits them all
            usual, shapes = session.primed(usual, made, shapes), {}
        return session.OpenVinoSession(usual, shapes, path, threads, precision)


def _precision(folder: Path) -> str:
    from edgefn.backends.openvino import session

    return session.BFLOAT if (folder / BF16).exists() else session.FLOAT


def _names(folder: Path) -> list[str]:
    """Return the names of the outputs; none of an artifact that was made before they were written down."""
    return small_files.read(folder, OUTPUTS, list[str], "openvino") if (folder / OUTPUTS).exists() else []


def _shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    found = small_files.read(folder, SHAPES, dict[str, tuple[int, ...]], "openvino")
    if any(not 0 <= size <= MAX_DIMENSION for shape in found.values() for size in shape):
        raise BundleError(f"{SHAPES} of an artifact of openvino has a size that no tensor has: build the bundle again")
    return found
