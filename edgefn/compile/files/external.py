"""The weights that an ONNX file keeps in files beside it: each is a plain file in its folder, and long enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgefn.errors import BuildError

if TYPE_CHECKING:
    import onnx


def check(model: onnx.ModelProto, path: Path, name: str) -> None:
    """Check the files in which `model` keeps its external weights.

    Raises BuildError for a location outside the folder of `path`, and for a file that is missing or cut off.
    """
    from onnx import external_data_helper

    for tensor in external_data_helper._get_all_tensors(model):
        if external_data_helper.uses_external_data(tensor):
            entries = {entry.key: entry.value for entry in tensor.external_data}
            _check(entries, tensor.name, path, name)


def files(model: onnx.ModelProto, path: Path) -> Iterator[Path]:
    """Yield the files beside `path` that hold its tensors, each once."""
    from onnx import external_data_helper

    tensors = external_data_helper._get_all_tensors(model)
    locations = {
        entry.value
        for tensor in tensors
        if external_data_helper.uses_external_data(tensor)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    yield from (path.parent / location for location in sorted(locations))


def _check(entries: Mapping[str, str], tensor: str, path: Path, name: str) -> None:
    location = entries.get("location", "")
    folder, inside = path.parent.resolve(), PurePosixPath(location)
    what = f"model {name}: {path.name} keeps {tensor!r} in {location!r}"
    if not location or inside.is_absolute() or ".." in inside.parts or "\\" in location:
        raise BuildError(f"{what}, outside its own folder: save it again, with its data beside it")
    file = folder / inside
    if not file.is_file():
        raise BuildError(f"{what}, which is missing: put that file beside {path.name}")
    if not file.resolve().is_relative_to(folder):
        raise BuildError(f"{what}, a link out of its folder: replace it by a copy")
    try:
        end = int(entries.get("offset") or 0) + int(entries.get("length") or 0)
    except ValueError:
        raise BuildError(f"{what}, at a position that is not a number: the file is damaged, save it again") from None
    if end > file.stat().st_size or end < 0:
        raise BuildError(f"{what}, which is cut off: it has {file.stat().st_size} of {end} bytes")
