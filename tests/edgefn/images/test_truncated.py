"""Pictures cut short: refused, unless all pixels are there, or the function asked for what arrived."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from edgefn import Image, InputError, SpecError, edge_function, picture
from edgefn.codec.request.signature import Request
from edgefn.images.files import jpeg, png

Encode = Callable[..., bytes]

_KINDS: dict[str, dict[str, Any]] = {
    "baseline": {},
    "progressive": {"progressive": True},
    "every pixel its colour": {"subsampling": 0, "quality": 95},
    "grey": {"mode": "L"},
    "restart markers": {"restart_marker_rows": 1},
    "inks": {"mode": "CMYK"},
}


def _pixels(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("end", [b"", b"\xff", b"\0\0\0\0"])
def test_a_missing_end_marker_is_no_fault(encoded: Encode, kind: str, end: bytes) -> None:
    """As some cameras send: all pixels are there, and are the same, whole or resized."""
    data = encoded("JPEG", 200, 150, **_KINDS[kind])
    assert data.endswith(jpeg.END)
    image = Image(data[:-2] + end)
    np.testing.assert_array_equal(image.array(), _pixels(data))
    np.testing.assert_array_equal(image.array((24, 24)), Image(data).array((24, 24)))


@pytest.mark.parametrize("kind", _KINDS)
def test_missing_pixels_are_a_fault_by_default(encoded: Encode, kind: str) -> None:
    """Wherever the file is cut: never are pixels made up. Those that were read without the last bits are the same."""
    data = encoded("JPEG", 120, 90, **_KINDS[kind])
    whole = _pixels(data)
    cuts = {*range(3, 40), *range(40, len(data), len(data) // 60)}
    read = 0
    for cut in cuts:
        try:
            np.testing.assert_array_equal(Image(data[:-cut]).array(), whole)
            read += 1
        except InputError:
            continue
    assert read < 4


def test_a_progressive_jpeg_cut_between_scans_is_a_fault(encoded: Encode) -> None:
    """What is left is a whole picture, only blurred: told by the scans that are missing."""
    data = encoded("JPEG", 120, 90, progressive=True)
    places = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    assert len(places) > 5
    for place in places[1:]:
        before = data.rindex(b"\xff\xc4", 0, place) if data[place - 2000 : place].count(b"\xff\xc4") else place
        for cut in {place, before}:
            if cut > places[0]:
                with pytest.raises(InputError, match="truncated or damaged JPEG"):
                    Image(data[:cut]).array()
    assert jpeg.has_all_scans(data)


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("share", [0.4, 0.6, 0.9])
def test_a_lenient_jpeg_gives_what_arrived(encoded: Encode, kind: str, share: float) -> None:
    """Its upper rows as they were, grey below, or all of it blurred; of its size, resized too. A whole one is whole."""
    data = encoded("JPEG", 160, 120, **_KINDS[kind])
    start = data.index(b"\xff\xda")
    cut = data[: start + int((len(data) - start) * share)]
    whole = _pixels(data)
    with pytest.raises(InputError):
        Image(cut).array()
    array = Image(cut, lenient=True).array()
    assert array.shape == whole.shape
    off = np.abs(array.astype(int) - whole).max(axis=(1, 2))
    if kind != "progressive":
        assert (off[:15] == 0).all()
    assert Image(cut, lenient=True).array((32, 32)).shape == (32, 32, 3)
    np.testing.assert_array_equal(Image(data, lenient=True).array(), whole)


def test_the_rest_of_a_jpeg_is_grey(encoded: Encode) -> None:
    """Not black, which a network would take for night."""
    data = encoded("JPEG", 160, 160)
    assert (Image(data[: len(data) // 2], lenient=True).array()[-1, -1] == 128).all()


_PNGS: list[dict[str, Any]] = [{"mode": mode} for mode in ("1", "L", "LA", "P", "RGB", "RGBA")]


@pytest.mark.parametrize("options", _PNGS, ids=str)
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_lenient_png_gives_what_arrived(encoded: Encode, options: dict[str, Any], share: float) -> None:
    """Its upper rows as they were, grey below: for each kind of pixel."""
    data = encoded("PNG", 200, 160, **options)
    start, end = data.index(b"IDAT") + 4, data.index(b"IEND")
    cut = data[: start + int((end - start) * share)]
    with pytest.raises(InputError, match="truncated or damaged PNG"):
        Image(cut).array()
    array, whole = Image(cut, lenient=True).array(), _pixels(data)
    same = (array == whole).all(axis=(1, 2))
    rows = int(np.argmin(same))
    assert rows > 160 * share / 4
    assert len({tuple(pixel) for pixel in array[-1].tolist()}) == (2 if options["mode"] == "1" else 1)
    if options["mode"] in ("L", "RGB", "RGBA", "LA"):
        assert (array[-1] == 128).all()


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (33, 17)])
def test_a_png_of_every_depth_is_completed(depth: int, interlaced: bool, size: tuple[int, int]) -> None:
    """Its scanlines are as many as its header says, interlaced or not: what is completed is a whole file."""
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", *size, depth, 0, 0, 0, int(interlaced))
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b""))]
    data = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    whole = png.completed(data)
    assert whole is not None
    assert Image(whole).size == size
    assert Image(whole).array().shape == (size[1], size[0], 3)
    assert (Image(data, lenient=True).array() == Image(whole).array()).all()


def test_what_is_too_short_is_a_fault_however_lenient(encoded: Encode) -> None:
    """Without a pixel there is nothing to give; and other formats are whole or refused."""
    for format in ("JPEG", "PNG"):
        data = encoded(format)
        for cut in (1, 8, 20, data.index(b"IDAT") if format == "PNG" else data.index(b"\xff\xda")):
            with pytest.raises(InputError):
                Image(data[:cut], lenient=True).array()
    for format in ("WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000"):
        data = encoded(format, 80, 60)
        with pytest.raises(InputError):
            Image(data[: len(data) // 2], lenient=True).array()


def _decode(handler: Callable[..., Any], body: bytes, content_type: str) -> Any:
    return edge_function(handler).signature.decode(Request(content_type, body, ""))["photo"]


@pytest.mark.parametrize("way", ["body", "form", "json", "msgpack"])
def test_leniency_is_an_option_of_the_type(encoded: Encode, way: str) -> None:
    """However the picture is sent; a parameter without it is as strict as before."""
    import base64

    cut = encoded("JPEG", 160, 120)[:-300]
    bodies = {
        "body": (cut, "image/jpeg"),
        "form": (
            b'--x\r\ncontent-disposition: form-data; name="photo"; filename="a.jpg"\r\n\r\n' + cut + b"\r\n--x--\r\n",
            "multipart/form-data; boundary=x",
        ),
        "json": (msgspec.json.encode({"photo": base64.b64encode(cut).decode()}), "application/json"),
        "msgpack": (msgspec.msgpack.encode({"photo": cut}), "application/msgpack"),
    }

    def lenient(photo: Annotated[Image, picture(lenient=True)]) -> int:
        return photo.size[0]

    def optional(photo: Annotated[Image, picture(lenient=True)] | None = None) -> int:
        return 0

    def strict(photo: Annotated[Image, picture()]) -> int:
        return photo.size[0]

    def plain(photo: Image) -> int:
        return photo.size[0]

    for handler in (lenient, optional):
        assert _decode(handler, *bodies[way]).array().shape == (120, 160, 3)
    for handler in (strict, plain):
        with pytest.raises(InputError, match="photo: is a truncated or damaged JPEG"):
            _decode(handler, *bodies[way]).array()


class _Visit(msgspec.Struct):
    photo: Annotated[Image, picture(lenient=True)]


@pytest.mark.parametrize("hint", [_Visit, list[_Visit], list[Annotated[Image, picture(lenient=True)]]])
def test_leniency_elsewhere_is_refused_at_build(hint: Any) -> None:
    """Where it would be ignored it is an error, with what to write instead."""

    def handler(photo: hint) -> int:
        return 0

    handler.__annotations__ = {"photo": hint, "return": int}
    with pytest.raises(SpecError, match=r"parameter photo has picture\(\.\.\.\) inside .* write `bytes`"):
        _ = edge_function(handler).signature
