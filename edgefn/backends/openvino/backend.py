"""OpenVINO behind the `Backend` protocol.

finish   usual.blob: compiled for this CPU and those sizes; for all others the IR beside it, model.xml and model.bin
load     the blob, mapped; 60 ms where compiling takes 300
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgefn import extras
from edgefn.backends import small_files
from edgefn.errors import BundleError
from edgefn.spec import MAX_DIMENSION
from edgefn.targets.probe import Probe

if TYPE_CHECKING:
    from edgefn.backends.openvino.session import OpenVinoSession

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
        raise BundleError(f"{SHAPES} of an artifact of openvino has an impossible size: build the bundle again")
    return found
