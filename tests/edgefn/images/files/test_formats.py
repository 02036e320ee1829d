"""Kinds of pictures: those that are read, each as Pillow or NumPy has it; and those that are told by their name."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray
from PIL import AvifImagePlugin, ImageOps, features

from edgefn import Image, InputError
from edgefn.images.decoder import recognise
from edgefn.images.files.formats import FORMATS
from tests.edgefn.images.tiffs import Order, tiff

Encode = Callable[..., bytes]

_MOST = np.array([[0, 255, 256, 1000, 4095], [32767, 40000, 65280, 65534, 65535]])


def _opened(data: bytes) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(data))


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("AVIF", {}),
        ("JPEG2000", {}),
        ("JPEG2000", {"no_jp2": True}),
        ("TIFF", {"big_tiff": True}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"compression": "tiff_adobe_deflate"}),
        ("TIFF", {"compression": "jpeg"}),
        ("JPEG", {"progressive": True}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_formats_are_read(encoded: Encode, format: str, options: dict[str, Any]) -> None:
    """Size and format from the header; pixels as Pillow decodes them, whole and resized."""
    data = encoded(format, 60, 40, **options)
    image = Image(data)
    assert (image.size, image.format, image.pages) == ((60, 40), format, 1)
    np.testing.assert_array_equal(image.array(), np.asarray(_opened(data).convert("RGB")))
    assert image.array((9, 7)).shape == (7, 9, 3)


@pytest.mark.parametrize("mode", ["CMYK", "L", "RGB"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpegs_of_every_kind_are_read(encoded: Encode, mode: str, progressive: bool) -> None:
    """Grey, colour and print's four inks with Adobe's marker, whose values are inverted; progressive or not."""
    data = encoded("JPEG", 64, 48, mode=mode, progressive=progressive, quality=95)
    original = np.asarray(_opened(encoded("PNG", 64, 48)).convert("L" if mode == "L" else "RGB").convert("RGB"))
    assert np.abs(Image(data).array().astype(int) - original).mean() < 3


def test_ycck_is_read(encoded: Encode) -> None:
    """Adobe's marker says that four channels are YCC and black: they become inks, whose values are inverted."""
    data = bytearray(encoded("JPEG", 64, 48, mode="CMYK", quality=100, subsampling=0))
    stored = 255 - np.asarray(Image(bytes(data)).pil("CMYK")).astype(float)  # with transform 0, as they are
    data[data.index(b"Adobe") + 11] = 2
    y, cb, cr = stored[..., 0], stored[..., 1] - 128, stored[..., 2] - 128
    colours = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1).clip(0, 255)
    expected = (255 - colours) * stored[..., 3:] / 255
    assert np.abs(Image(bytes(data)).array() - expected).max() <= 3


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["AVIF", "JPEG", "PNG", "TIFF", "WEBP"])
def test_orientation_of_every_format(encoded: Encode, format: str, orientation: int) -> None:
    """What stands in EXIF, or in AVIF's own boxes, is applied once, to the size and to the pixels."""
    data = encoded(format, 60, 40, orientation=orientation)
    upright = ImageOps.exif_transpose(_opened(data))
    assert Image(data).size == upright.size
    np.testing.assert_array_equal(Image(data).array(), np.asarray(upright))


def test_exif_after_the_pixels_is_found_without_decoding(encoded: Encode) -> None:
    """A PNG's orientation may stand at its end; a PNG cut before it still has a size."""
    data = encoded("PNG", 60, 40, orientation=6)
    start = data.index(b"eXIf") - 4
    length = int.from_bytes(data[start : start + 4], "big") + 12
    end = data.index(b"IEND") - 4
    moved = data[:start] + data[start + length : end] + data[start : start + length] + data[end:]
    assert Image(moved).size == (40, 60)
    assert Image(moved).array().shape == (60, 40, 3)
    assert Image(moved[: data.index(b"IDAT") + 20]).size == (60, 40)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "i4", "f4"])
def test_tiffs_of_every_machine_are_read(order: Order, big: bool, dtype: str) -> None:
    """Either byte order, TIFF and BigTIFF: the values in a wide mode, and 8 bits scaled from them."""
    values = (_MOST // {"u1": 257, "i2": 2}.get(dtype, 1)).astype(dtype)
    if dtype == "f4":
        values = values / np.float32(65535)
    image = Image(tiff(values, order=order, big=big))
    wide = image.pil("F" if dtype == "f4" else "I")
    np.testing.assert_array_equal(np.asarray(wide), values)
    eight = np.rint(values * 255) if dtype == "f4" else values if dtype == "u1" else values >> 8
    np.testing.assert_array_equal(np.asarray(image.pil("L")), eight)
    np.testing.assert_array_equal(image.array()[..., 1], eight)


@pytest.mark.parametrize("mode", ["I;16B", "I", "F"])
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_values_are_read_in_their_byte_order(mode: str, compression: str) -> None:
    """libtiff gives them in the machine's order, which Pillow knows of 16 bits without a sign alone."""
    values = _MOST.astype(">u2" if mode == "I;16B" else "f4" if mode == "F" else "i4")
    file = io.BytesIO()
    PIL.Image.frombytes(mode, (5, 2), values.tobytes()).save(file, "TIFF", compression=compression)
    assert (np.asarray(Image(file.getvalue()).pil("I")) == _MOST).all()


def _deflated_big_endian(values: NDArray[Any]) -> bytes:
    import zlib

    packed = zlib.compress(values.astype(values.dtype.newbyteorder(">")).tobytes())
    return tiff(values, order=">", packed=packed, bits=values.dtype.itemsize * 8, more={259: (3, 8)})


@pytest.mark.parametrize("dtype", ["u2", "i2", "i4", "f4"])
def test_compressed_big_endian_values(dtype: str) -> None:
    """The same of files that only other programs write: deflated, big-endian."""
    values = (_MOST // 2).astype(dtype)
    np.testing.assert_array_equal(np.asarray(Image(_deflated_big_endian(values)).pil("F")), values)


def test_12_bits_are_12_bits() -> None:
    """White is 4,095 there: in 8 bits, and in the PNG made of them; the values are kept."""
    data = tiff(np.zeros((2, 2), np.uint16), bits=12, packed=bytes.fromhex("fff000800001"))
    image = Image(data)
    assert np.asarray(image.pil("I")).tolist() == [[4095, 0], [2048, 1]]
    assert np.asarray(image.pil("L")).tolist() == [[255, 0], [128, 0]]
    assert Image(image.encode("PNG")).array()[..., 0].tolist() == [[255, 0], [128, 0]]


@pytest.mark.parametrize("big", [False, True])
def test_white_may_be_zero(big: bool) -> None:
    """In 8 and 16 bits: black is black, whatever number the file writes for it."""
    for dtype in (np.uint8, np.uint16):
        values = (_MOST // (1 if dtype == np.uint16 else 257)).astype(dtype)
        image = Image(tiff(values, white_is_zero=True, big=big))
        np.testing.assert_array_equal(np.asarray(image.pil("I")), np.iinfo(dtype).max - values.astype(int))


@pytest.mark.parametrize("byte_order", ["I;16", "I;16B"])
def test_16_bits_stay_16_bits_in_a_png(byte_order: str) -> None:
    """Whichever byte order the pixels have."""
    pixels = PIL.Image.frombytes(byte_order, (5, 2), _MOST.astype("<u2" if byte_order == "I;16" else ">u2").tobytes())
    again = Image(Image.from_pil(pixels).encode("PNG"))
    np.testing.assert_array_equal(np.asarray(again.pil("I;16")), _MOST)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (tiff(np.zeros((2, 2), np.int8)), "signed 8-bit samples"),
        (tiff(np.zeros((2, 2))), "unknown pixel mode"),
        (tiff(np.zeros((2, 2), np.float32), white_is_zero=True), "floats whose white is zero"),
        (tiff(np.array([[0, 2**31]], np.uint32)), r"unsupported: unsigned integers of 2\^31"),
        (tiff(np.zeros((2, 2), np.uint8), more={50706: (4, 1)}), "a camera's raw photo"),
        (tiff(np.zeros((2, 2), np.uint8), more={254: (4, 1), 330: (4, 8)}), "a camera's raw photo"),
        (tiff(np.zeros((2, 2), np.uint8), more={259: (3, 34712)}), "34712"),
        (tiff(np.zeros((2, 2), np.uint32), order=">"), "unknown pixel mode"),
    ],
)
def test_tiffs_that_pillow_reads_wrong_or_not_at_all_are_refused(data: bytes, reason: str) -> None:
    """As what they are, and not as damaged: a raw photo's thumbnail, say, is not the photo."""
    with pytest.raises(InputError, match=rf"photo: is a TIFF.* picture of an unsupported kind \({reason}.*send JPEG"):
        Image(data, field="photo").array()


@pytest.mark.parametrize("cut", range(1, 30, 4))
def test_a_cut_bigtiff_is_refused(cut: int) -> None:
    """What is put in the place of its directories is not taken for its pixels."""
    data = tiff(np.full((9, 9), 77, np.uint8), order=">", big=True)
    strip_last = data[:16] + data[16 + 82 :] + data[16 : 16 + 82]  # directories first, as other programs write
    at = strip_last.index(b"\x01\x11\x00\x04") + 12
    directory_at = int.from_bytes(data[8:16], "big") - 82
    moved = bytearray(strip_last)
    moved[8:16] = directory_at.to_bytes(8, "big")
    moved[at : at + 4] = (len(moved) - 82).to_bytes(4, "big")
    assert (Image(bytes(moved)).array() == 77).all()
    with pytest.raises(InputError, match="truncated"):
        Image(bytes(moved[: -cut - 1])).array()


def _pages(format: str, **options: Any) -> tuple[bytes, list[NDArray[np.uint8]]]:
    """A file of three pages, and their pixels."""
    shades = [PIL.Image.new("RGB", (20, 10), (60 * number, 200 - 60 * number, 30)) for number in range(1, 4)]
    for number, one in enumerate(shades):
        one.paste((255, 255, 255), (number, 0, number + 5, 5))
    file = io.BytesIO()
    shades[0].save(file, format, save_all=True, append_images=shades[1:], **options)
    return file.getvalue(), [np.asarray(one) for one in shades]


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("TIFF", {"big_tiff": True}),
        ("PNG", {}),
        ("GIF", {}),
        ("WEBP", {"lossless": True}),
        ("AVIF", {"quality": 100, "subsampling": "4:4:4"}),
    ],
)
def test_pages_and_frames_are_pictures(format: str, options: dict[str, Any]) -> None:
    """Their number, and each by its own; the picture itself is the first. A page that is not there names them."""
    data, shades = _pages(format, **options)
    image = Image(data, field="scan")
    assert image.pages == 3
    for number, shade in enumerate(shades):
        page = image.page(number)
        assert np.abs(page.array().astype(int) - shade).max() <= (
            8 if format == "AVIF" else 3 if format == "GIF" else 0
        )
        assert (page.size, page.format, page.file) == ((20, 10), format, b"")
        assert recognise(page.encode("PNG")) == "PNG"
        assert _opened(page.encode("PNG")).format == "PNG"
        assert getattr(_opened(page.encode("PNG")), "n_frames", 1) == 1
    np.testing.assert_array_equal(image.array(), image.page(0).array())
    with pytest.raises(InputError, match=r"scan: has 3 pages, and no page 3 \(counted from 0\)"):
        image.page(3)
    with pytest.raises(InputError, match="no page -1"):
        image.page(-1)


def test_pages_of_pictures_without_any(encoded: Encode) -> None:
    """A JPEG is a page of its own, and so are pixels; a page that is not there is the author's fault there."""
    image = Image(encoded("JPEG"))
    assert (image.pages, image.page(0).size) == (1, (64, 48))
    with pytest.raises(InputError, match="has 1 page, and no page 1"):
        image.page(1)
    pixels = Image.from_pil(PIL.Image.new("L", (3, 2)))
    assert (pixels.pages, pixels.page(0).size) == (1, (3, 2))
    with pytest.raises(ValueError, match="have only page 0, not page 1"):
        pixels.page(1)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
def test_pages_have_sizes_of_their_own(order: Order, big: bool) -> None:
    """Of either byte order; and a page over the limit is refused before it is decoded."""
    pages = [np.full((size, size + 1), 40 * size, np.uint8) for size in (1, 2, 3)]
    image = Image(tiff(*pages, order=order, big=big))
    assert image.pages == 3
    for number, page in enumerate(pages):
        np.testing.assert_array_equal(np.asarray(image.page(number).pil("L")), page)
    large = tiff(pages[0], np.zeros((0, 9000), np.uint8), order=order, big=big)
    at = large.rindex((9000).to_bytes(4, "big" if order == ">" else "little"))
    after = large.index((0).to_bytes(4, "big"), at + 4 + (4 if big else 0) + (12 if big else 8) - 0)
    patched = bytearray(large)
    patched[after : after + 4] = (9000).to_bytes(4, "big" if order == ">" else "little")
    with pytest.raises(InputError, match="is 9000x9000, 81 megapixels"):
        Image(bytes(patched)).page(1)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("big", [False, True])
def test_pages_are_counted_without_looking_at_them(order: Order, big: bool) -> None:
    """One that cannot be read is one more, and does not hide the others; far too many are refused, at once."""
    readable, unreadable = np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.int8)
    image = Image(tiff(readable, unreadable, readable, order=order, big=big))
    assert image.pages == 3
    assert image.page(2).array().shape == (1, 1, 3)
    with pytest.raises(InputError, match="signed 8-bit samples"):
        image.page(1)
    many = Image(tiff(*[readable] * 10_001, order=order, big=big))
    for read in (lambda: many.pages, lambda: many.page(9_000)):
        with pytest.raises(InputError, match="more than 10,000 pages"):
            read()


_UNREAD = {
    b"8BPS\0\1": "a Photoshop picture",
    b"%PDF-1.7\n": "a PDF document",
    b"%!PS-Adobe-3.0 EPSF-3.0": "an Encapsulated PostScript",
    b"\xc5\xd0\xd3\xc6": "an Encapsulated PostScript",
    b'<svg xmlns="http://www.w3.org/2000/svg">': "an SVG drawing",
    b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- a\nb -->\n<svg>': "an SVG drawing",
    b"\0\0\1\0\1\0\x10\x10": "an icon",
    b"P6\n3 2\n255\n": "a Netpbm picture",
    b"\xff\x0a\xfa\x7f": "a JPEG XL picture",
    b"\0\0\0\x0cJXL \r\n\x87\n": "a JPEG XL picture",
    b"qoif": "a QOI picture",
    b"\0" * 128 + b"DICM": "a DICOM picture",
    b"FUJIFILMCCD-RAW 0201": "a camera's raw photo",
    b"\0\0\0\x18ftypcrx \0\0\0\1crx isom": "a camera's raw photo",
    b"\0\0\0\x18ftypisom\0\0\2\0isomiso2": "a video",
    b"\x1aE\xdf\xa3\x9fB\x86\x81": "a video",
    b"RIFF\x24\0\0\0AVI LIST": "a video",
}


@pytest.mark.parametrize("data", _UNREAD)
def test_what_is_not_read_is_told_by_its_name(data: bytes) -> None:
    """Not as damaged: the sender learns what it is, and what to send instead."""
    assert recognise(data) is None
    with pytest.raises(InputError, match=f"photo: is {_UNREAD[data]}.*, which is not supported; send JPEG, PNG"):
        Image(data + bytes(50), field="photo").read_header()


@pytest.mark.parametrize(
    ("brands", "format"),
    [
        ((b"avif", b"mif1"), "AVIF"),
        ((b"mif1", b"miaf", b"avif"), "AVIF"),
        ((b"avis", b"msf1"), "AVIF"),
        ((b"heic", b"mif1"), "HEIF"),
        ((b"mif1", b"heic"), "HEIF"),
        ((b"msf1", b"hevc"), "HEIF"),
        ((b"isom", b"mp42"), None),
    ],
)
def test_containers_are_told_by_their_brands(brands: tuple[bytes, ...], format: str | None) -> None:
    """AVIF, HEIC and films begin alike: the brands of the file decide, wherever the picture's stands."""
    box = b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])
    assert recognise((len(box) + 4).to_bytes(4, "big") + box + bytes(99)) == format


def test_heic_without_its_plugin_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no dependency: the message names it."""
    monkeypatch.setitem(sys.modules, "pillow_heif.as_plugin", None)
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99)
    with pytest.raises(InputError, match="is a HEIF picture, which needs pillow-heif to be installed"):
        Image(data).read_header()


def test_heic_with_its_plugin_is_read() -> None:
    """As Pillow reads it then, upright."""
    from pillow_heif import register_heif_opener

    register_heif_opener()
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    PIL.Image.effect_noise((60, 40), 50).convert("RGB").save(file, "HEIF", exif=exif)
    image = Image(file.getvalue())
    upright = ImageOps.exif_transpose(_opened(file.getvalue()))
    assert (image.format, image.size) == ("HEIF", upright.size)
    np.testing.assert_array_equal(image.array(), np.asarray(upright.convert("RGB")))


def test_a_pillow_without_a_codec_says_so(encoded: Encode, monkeypatch: pytest.MonkeyPatch) -> None:
    """Distributions build Pillow without AVIF."""
    data = encoded("AVIF")
    monkeypatch.setitem(sys.modules, "PIL._avif", None)
    monkeypatch.setattr(AvifImagePlugin, "SUPPORTED", False)
    with pytest.raises(InputError, match="is an AVIF picture, which needs a Pillow with AVIF"):
        Image(data).read_header()


def test_the_pinned_pillow_has_every_codec() -> None:
    """What the documents say is read is read by the version that is pinned."""
    assert all(features.check(codec) for codec in ("avif", "jpg", "jpg_2000", "webp", "zlib", "libtiff"))


def test_the_documents_name_what_is_read() -> None:
    """Each format of the table has its row in docs/pictures.md."""
    page = (Path(__file__).parents[4] / "docs" / "pictures.md").read_text(encoding="utf-8")
    rows = page[page.index("| format |") : page.index("Other kinds")].replace(" ", "").lower()
    for name in FORMATS:
        assert name.partition(" ")[0].lower() in rows, name


def test_no_format_outside_the_table_is_tried(encoded: Encode) -> None:
    """Pillow's own openers are never asked: only the plugins of the table are imported by what is read."""
    code = """
import sys
from edgefn import Image, InputError
for line in sys.stdin.read().split():
    try:
        Image(bytes.fromhex(line)).array()
    except InputError:
        pass
print(*(name for name in sys.modules if name.startswith("PIL.") and name.endswith("Plugin")))
"""
    files = [encoded(format) for format in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "JPEG2000")]
    lines = "\n".join(data.hex() for data in (*files, *_UNREAD))
    run = subprocess.run([sys.executable, "-c", code], input=lines, capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) == {known.module for known in FORMATS.values() if known.module.startswith("PIL.")}
