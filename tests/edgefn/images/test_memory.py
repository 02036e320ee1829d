"""A picture that needs more memory than there is: an error that says so, and a process that goes on."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import PIL.Image
import pytest

from edgefn import Image, InputError
from edgefn.errors import PictureTooLarge
from edgefn.images import memory
from edgefn.images.files import webp
from edgefn.images.modes import converted

Encode = Callable[..., bytes]

_FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "baseline JPEG": ("JPEG", {}),
    "progressive JPEG": ("JPEG", {"progressive": True}),
    "PNG": ("PNG", {}),
    "16-bit PNG": ("PNG", {}),
    "WEBP": ("WEBP", {"method": 0, "quality": 30}),
    "GIF": ("GIF", {}),
    "BMP": ("BMP", {}),
    "TIFF": ("TIFF", {}),
    "LZW TIFF": ("TIFF", {"compression": "tiff_lzw"}),
    "AVIF": ("AVIF", {"speed": 10}),
    "JPEG 2000": ("JPEG2000", {}),
}

_IN_LITTLE_MEMORY = """
import os, resource, sys
from edgefn import Image, InputError
import PIL.Image
from pathlib import Path
files = [Path(path).read_bytes() for path in sys.argv[3:]]
assert Image(files[0]).array((8, 8)).shape == (8, 8, 3)
used = int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGESIZE")
limit = used + int(sys.argv[1])
resource.setrlimit(getattr(resource, sys.argv[2]), (limit, limit))
for data in files[1:]:
    try:
        found = Image(data, field="photo").array().shape
    except InputError as error:
        found = f"{type(error).__name__} {error}"
    print(found)
print(Image(files[0]).array((8, 8)).shape)
"""


@pytest.fixture(scope="session")
def large(encoded: Encode, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pictures of 7 megapixels by name, and "small"."""
    folder = tmp_path_factory.mktemp("large")
    files = {"small": folder / "small"}
    files["small"].write_bytes(encoded("JPEG", 32, 32))
    shades = PIL.Image.linear_gradient("L").resize((3000, 2400))
    for name, (format, options) in _FORMATS.items():
        files[name] = folder / name
        colour = converted(shades, "I;16") if name == "16-bit PNG" else PIL.Image.merge("RGB", [shades] * 3)
        colour.save(files[name], format, **options)
    return files


def _read_with(further_bytes: int, *files: Path) -> list[str]:
    """What each of `files` but the first becomes in a process that may have `further_bytes` more, then the first."""
    command = [sys.executable, "-W", "error", "-c", _IN_LITTLE_MEMORY, str(further_bytes), "RLIMIT_DATA"]
    run = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=True)
    assert run.stderr == ""
    return run.stdout.splitlines()


@pytest.mark.parametrize("mebibytes", [4, 24, 40])
def test_too_little_memory_is_told_as_that(large: dict[str, Path], mebibytes: int) -> None:
    """For each format, whichever of its allocations fails: never "damaged"; and the next picture is read."""
    small, *rest = large.values()
    *found, last = _read_with(mebibytes * 2**20, small, *rest)
    assert last == "(8, 8, 3)"
    for name, line in zip(_FORMATS, found, strict=True):
        assert line.startswith("PictureTooLarge photo: is 3000x2400 pixels, which need at least") or (
            line.startswith("PictureTooLarge photo: needs more memory for decoding than the function has")
        ), (name, line)
        assert "or give the function more `memory`" in line


def test_enough_memory_is_enough(large: dict[str, Path]) -> None:
    """What is looked at beforehand is no more than what decoding takes: nothing is refused that could be read."""
    small, *rest = large.values()
    assert _read_with(160 * 2**20, small, *rest) == ["(2400, 3000, 3)"] * len(_FORMATS) + ["(8, 8, 3)"]


def test_a_reduced_decode_needs_less(large: dict[str, Path]) -> None:
    """A JPEG of 29 MB decoded is resized within 24."""
    code = _IN_LITTLE_MEMORY.replace('field="photo").array()', 'field="photo").array((224, 224))')
    command = [sys.executable, "-c", code, str(24 * 2**20), "RLIMIT_DATA"]
    files = [str(large["small"]), str(large["baseline JPEG"])]
    run = subprocess.run([*command, *files], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["(224, 224, 3)", "(8, 8, 3)"]


def test_it_is_known_beforehand(encoded: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the header, its channels and the limit: nothing is decoded, and the status is 413."""
    monkeypatch.setattr(memory, "left_bytes", lambda: 10 * 2**20)
    monkeypatch.setattr(PIL.Image, "core", None)  # no pixel can be made
    image = Image(_png_header(6000, 3000), field="photo")
    assert image.size == (6000, 3000)
    with pytest.raises(PictureTooLarge, match=r"photo: is 6000x3000 pixels, which need at least 72\.0 MB") as refused:
        image.array()
    assert (refused.value.status, refused.value.as_problem()["field"]) == (413, "photo")
    assert isinstance(refused.value, InputError)


def test_a_picture_of_the_functions_own_is_its_authors(encoded: Encode, tmp_path: Path) -> None:
    """A file that does not fit is MemoryError, one that is broken ValueError with its path: both are 500s."""
    path = tmp_path / "mask.png"
    path.write_bytes(encoded("PNG")[:200])
    for read in (Image.open(path).array, Image.open(path).pil, lambda: Image.open(path).array((3, 3))):
        with pytest.raises(ValueError, match=r"mask\.png: is a truncated or damaged PNG image"):
            read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "left_bytes", lambda: 10 * 2**20)
        path.write_bytes(_png_header(6000, 3000))
        with pytest.raises(MemoryError, match=r"mask\.png: is 6000x3000 pixels"):
            Image.open(path).array()


def _png_header(width: int, height: int) -> bytes:
    import zlib

    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = (struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in (header, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    "options", [{}, {"lossless": True}, {"orientation": 3}, {"mode": "RGBA"}, {"mode": "RGBA", "lossless": True}]
)
@pytest.mark.parametrize("size", [(1, 1), (63, 200), (1025, 3)])
def test_a_webp_has_its_size_in_its_first_bytes(
    encoded: Encode, options: dict[str, Any], size: tuple[int, int]
) -> None:
    """Of each of its kinds: read before Pillow allocates two canvases of it."""
    data = encoded("WEBP", *size, **options)
    assert webp.size(data) == size
    assert webp.size(data[:29]) == (0, 0)


def test_a_webp_bomb_is_refused_before_it_is_allocated() -> None:
    """16,383 pixels each way are 2 GB for Pillow's reader alone."""
    data = b"RIFF\x1e\0\0\0WEBPVP8X\n\0\0\0" + bytes(4) + (16382).to_bytes(3, "little") * 2 + bytes(20)
    with pytest.raises(InputError, match="is 16383x16383, 268 megapixels"):
        Image(data).read_header()


def test_there_is_no_limit_by_default() -> None:
    """On a laptop nothing is looked at."""
    file = io.BytesIO()
    PIL.Image.new("L", (5000, 4000)).save(file, "PNG")
    assert memory.left_bytes() is None
    assert Image(file.getvalue()).array().shape == (4000, 5000, 3)
