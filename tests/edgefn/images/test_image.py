"""Image: lazy, upright, reduced without changing answers; and bad files refused before they cost anything."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import ImageOps

from edgefn import Image, InputError
from edgefn.images.decoder import MAX_PIXELS, recognise
from edgefn.images.geometry import Fit, Size

Encode = Callable[..., bytes]


def _opened(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_formats_are_read(encoded: Encode, format: str) -> None:
    """Size and format from the header; pixels as Pillow decodes them."""
    data = encoded(format, 60, 40)
    image = Image(data)
    assert (image.size, image.format) == ((60, 40), format)
    np.testing.assert_array_equal(image.array(), np.asarray(_opened(data).convert("RGB")))
    assert image.array().flags.c_contiguous
    assert image.array().flags.writeable


def test_open_reads_a_file(encoded: Encode, tmp_path: Path) -> None:
    """From a path, of str too; a file that is missing is an OSError, one that is no image its author's ValueError."""
    path = tmp_path / "cat.jpg"
    path.write_bytes(encoded("JPEG"))
    assert Image.open(str(path)).size == (64, 48)
    with pytest.raises(FileNotFoundError):
        Image.open(tmp_path / "dog.jpg")
    path.write_text("not a cat")
    with pytest.raises(ValueError, match=r"cat\.jpg: is not a supported image: 9 bytes that begin 6e"):
        _ = Image.open(path).size


def test_nothing_is_decoded_before_pixels_are_asked_for(encoded: Encode) -> None:
    """A file cut after its header has a size; only its pixels are an error, which names the field."""
    data = encoded("JPEG", 640, 480)
    image = Image(data[: len(data) // 2], field="photo")
    assert image.size == (640, 480)
    assert "640x480" in repr(image)
    for read in (image.array, image.pil, lambda: image.array((32, 32)), lambda: image.encode("PNG")):
        with pytest.raises(InputError, match="photo: is a truncated or damaged JPEG image") as refused:
            read()
        assert refused.value.field == "photo"


def test_repr_reads_nothing() -> None:
    """A notebook or a log may show any image, a broken one too."""
    assert repr(Image(b"broken")) == "<edgefn.Image of 6 bytes>"


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "1", "LA", "I;16", "CMYK", "F"])
def test_every_mode_becomes_rgb(encoded: Encode, mode: str) -> None:
    """Alpha is dropped, grey is repeated, 16 bits keep their upper 8; and no warning leaks."""
    format = {"CMYK": "JPEG", "F": "TIFF"}.get(mode, "PNG")
    options = {"transparency": b"\x00\x80"} if mode == "P" else {}
    source = "L" if mode == "I;16" else mode
    data = encoded(format, mode=source, **options)
    if mode == "F":  # of 0 to 1
        file = io.BytesIO()
        PIL.Image.fromarray(np.asarray(_opened(data)) / np.float32(255)).save(file, "TIFF")
        data = file.getvalue()
    if mode == "I;16":
        wide = np.asarray(_opened(data)).astype(np.uint16) << 8 | 0x7F
        file = io.BytesIO()
        PIL.Image.fromarray(wide).save(file, "PNG")
        np.testing.assert_array_equal(Image(file.getvalue()).array()[..., 0], np.asarray(_opened(data)))
        data = file.getvalue()
    for array in (Image(data).array(), Image(data).array((16, 16))):
        assert array.dtype == np.uint8
        assert array.shape[2] == 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("fit", ["cover", "contain", "stretch"])
def test_orientation_is_honoured(encoded: Encode, orientation: int, fit: Fit) -> None:
    """Size, pixels and resized pixels are those of the photo held upright, for all eight EXIF orientations."""
    data = encoded("JPEG", 640, 400, orientation=orientation, quality=95)
    upright = ImageOps.exif_transpose(_opened(data))
    image = Image(data)
    assert image.size == upright.size
    np.testing.assert_array_equal(np.asarray(image.pil()), np.asarray(upright))
    np.testing.assert_array_equal(np.asarray(_opened(image.encode("PNG"))), np.asarray(upright))
    again = Image.from_pil(upright).array((60, 50), fit=fit)
    assert np.abs(image.array((60, 50), fit=fit).astype(int) - again).mean() < 1.5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_orientation_is_honoured_once(encoded: Encode, format: str, orientation: int) -> None:
    """In formats other than JPEG too; Pillow turns a TIFF by itself, the others not."""
    data = encoded(format, 60, 40, orientation=orientation, **({"lossless": True} if format == "WEBP" else {}))
    upright = ImageOps.exif_transpose(_opened(data))
    image = Image(data)
    assert image.size == upright.size
    np.testing.assert_array_equal(image.array(), np.asarray(upright))


@pytest.mark.parametrize(("width", "height"), [(1601, 1203), (640, 480), (450, 2000), (100, 100), (9, 9), (1, 1)])
@pytest.mark.parametrize("fit", ["cover", "contain", "stretch"])
def test_a_reduced_decode_changes_no_answer(encoded: Encode, width: int, height: int, fit: Fit) -> None:
    """A JPEG resized from its reduced decode is, on average, within one step of 255 of the full decode's."""
    data = encoded("JPEG", width, height, quality=92)
    reduced = Image(data).array((64, 56), fit=fit)
    full = Image.from_pil(_opened(data).convert("RGB")).array((64, 56), fit=fit)
    assert reduced.shape == (56, 64, 3)
    assert np.abs(reduced.astype(int) - full).mean() < 1.0


def test_a_large_jpeg_is_decoded_at_reduced_scale(encoded: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    """1600x1200 is halved for 224x224, a quarter for 200x150, an eighth for 16x12, whole for half its size and more."""
    data = encoded("JPEG", 1600, 1200)
    decoded: list[Size] = []
    resize = PIL.Image.Image.resize

    def spy(self: PIL.Image.Image, *arguments: Any, **options: Any) -> PIL.Image.Image:
        decoded.append(self.size)
        return resize(self, *arguments, **options)

    monkeypatch.setattr(PIL.Image.Image, "resize", spy)
    for wanted in ((224, 224), (200, 150), (16, 12), (800, 600), (801, 600)):
        assert Image(data).array(wanted).shape == (wanted[1], wanted[0], 3)
    assert decoded == [(800, 600), (400, 300), (200, 150), (1600, 1200), (1600, 1200)]


def test_contain_pads_with_fill(encoded: Encode) -> None:
    """The whole image in the middle, the rest in the colour asked for."""
    array = Image(encoded("PNG", 40, 20, mode="L")).array((40, 40), fit="contain", fill=(9, 8, 7))
    assert (array[:10] == (9, 8, 7)).all()
    assert (array[30:] == (9, 8, 7)).all()
    assert not (array[10:30] == (9, 8, 7)).all(axis=-1).any()


def test_wishes_are_checked(encoded: Encode) -> None:
    """A size, fit, resample or format that is none is a ValueError naming the nearest; text is no data."""
    image = Image(encoded())
    with pytest.raises(ValueError, match="use \\(width, height\\)"):
        image.array((0, 3))
    with pytest.raises(ValueError, match='did you mean "bicubic"'):
        image.array((3, 3), resample="bicubik")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="format is 'jpg'"):
        image.encode("jpg")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"see Image\.open"):
        Image("cat.jpg")  # type: ignore[arg-type]


def test_encode_gives_the_file_it_came_from(encoded: Encode) -> None:
    """A JPEG asked for as JPEG is the same bytes; another format or a quality encodes anew."""
    data = encoded("JPEG")
    assert Image(data).encode("JPEG") is data
    assert Image(data).encode("JPEG", quality=50) != data
    assert recognise(Image(data).encode("WEBP")) == "WEBP"
    assert recognise(Image(data)._repr_png_()) == "PNG"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "F", "I", "I;16"])
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_pixels_of_any_mode_are_encoded(mode: str, format: Any) -> None:
    """What the format cannot hold becomes RGB; a Pillow image given is never changed."""
    pixels = PIL.Image.new(mode, (5, 4))
    image = Image.from_pil(pixels)
    assert Image(image.encode(format)).size == (5, 4)
    assert pixels.mode == mode
    assert image.pil(pixels.mode) is not pixels
    assert image.format == ""


def _png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def _gif(width: int, height: int) -> bytes:
    size = struct.pack("<HH", width, height)
    return b"GIF89a" + size + b"\x80\x00\x00" + b"\0" * 6 + b",\0\0\0\0" + size + b"\0\x02\x01\x00\x00;"


@pytest.mark.parametrize("make", [_png, _gif])
@pytest.mark.parametrize("width", [8200, 10000, 14000, 60000])
def test_a_decompression_bomb_is_refused_from_its_header(make: Callable[[int, int], bytes], width: int) -> None:
    """From just over the limit to far over Pillow's own, and Pillow's warning does not leak."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InputError, match=r"megapixels; the limit is 67|could be decompression bomb"):
            _ = Image(make(width, width)).size


def test_the_largest_image_allowed_has_a_size() -> None:
    """The limit itself is not over the limit."""
    assert Image(_png(2**13, MAX_PIXELS // 2**13)).size == (8192, 8192)


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
def test_damaged_images_raise_nothing_but_input_error(encoded: Encode, data: st.DataObject) -> None:
    """Files of every format, cut or with bytes changed, are read or refused; no other exception gets out."""
    format = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"]))
    file = bytearray(encoded(format, 24, 16, orientation=6 if format in ("JPEG", "TIFF", "PNG") else 1))
    for _ in range(data.draw(st.integers(0, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    image = Image(bytes(file[: data.draw(st.integers(0, len(file)))]))
    try:
        assert image.array((8, 8)).shape == (8, 8, 3)
        assert image.pil().size == image.size
    except InputError:
        return
