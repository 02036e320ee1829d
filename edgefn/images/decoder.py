"""Encoded images from outside: recognised by their first bytes, refused before decoding when they are too large.

The only module that hands bytes from outside to Pillow. It must never let Pillow try a format that is not in FORMATS
(its EPS reader starts Ghostscript), nor decode a pixel before the header's size was checked. Pillow is imported on
first use.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from edgefn.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image as Pixels
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 2**26
"""67 megapixels: the photos of 64-megapixel sensors pass (9248 x 6944), and their RGB, 201 MB, fits the default
memory of an instance (512 MiB) together with one copy."""

FORMATS = {
    "JPEG": (b"\xff\xd8\xff", "PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": (b"\x89PNG\r\n\x1a\n", "PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": (b"RIFF", "PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": (b"GIF8", "PIL.GifImagePlugin", "GifImageFile"),
    "BMP": (b"BM", "PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": (b"II*\x00", "PIL.TiffImagePlugin", "TiffImageFile"),
    "TIFF (big-endian)": (b"MM\x00*", "PIL.TiffImagePlugin", "TiffImageFile"),
}

_ROTATED = frozenset({5, 6, 7, 8})
"""EXIF orientations that lay the image on its side (CIPA DC-008, tag 0x0112)."""
_ORIENTATION = 0x0112


def recognise(data: bytes) -> str | None:
    """The name in FORMATS of the format that `data` begins as, or None when it is no image we read."""
    for name, (magic, _, _) in FORMATS.items():
        if data.startswith(magic) and (name != "WEBP" or data[8:12] == b"WEBP"):
            return name
    return None


def open_header(data: bytes, field: str = "") -> ImageFile:
    """Pillow's image of `data`, its header read and its size within MAX_PIXELS; no pixel is decoded yet."""
    name = recognise(data)
    if name is None:
        shown = data[:8].hex(" ") or "nothing"
        raise InputError(
            f"is not an image that can be read: {len(data)} bytes that begin {shown}; send JPEG, PNG, WebP, GIF, "
            "BMP or TIFF",
            field=field,
        )
    _, module, reader = FORMATS[name]
    with _faults_of_sender(name, field):
        # The plugin's class, not PIL.Image.open: that one warns on large images and tries further formats.
        opened: ImageFile = getattr(import_module(module), reader)(io.BytesIO(data))
    _check_size(opened.size, field)
    return opened


def load_pixels(opened: ImageFile, field: str = "") -> None:
    """`opened` is decoded in place. Raises InputError when its data is truncated or damaged."""
    with _faults_of_sender(opened.format or "image", field):
        opened.load()


def orientation(pixels: Pixels) -> int:
    """The EXIF orientation still to be applied, 1 (upright) when there is none that can be read."""
    if pixels.format == "TIFF":  # Pillow turns these by itself as it loads them, and their size before that
        return 1
    try:
        value = pixels.getexif().get(_ORIENTATION, 1)
    except Exception:  # a damaged EXIF block says nothing about the pixels, which may be whole
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def lies_on_its_side(orientation: int) -> bool:
    """Whether width and height change places when an image of `orientation` is put upright."""
    return orientation in _ROTATED


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """`pixels` as its camera's holder saw them; the same object when nothing is to be done."""
    from PIL.Image import Transpose

    method = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return pixels if method is None else pixels.transpose(method)


def _check_size(size: tuple[int, int], field: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"is {width}x{height}, {width * height / 1e6:.0f} megapixels; at most {MAX_PIXELS / 1e6:.0f} are "
            "taken: send a smaller image",
            field=field,
        )
    if width < 1 or height < 1:
        raise InputError(f"is an image of {width}x{height} pixels: send one that has pixels", field=field)


@contextmanager
def _faults_of_sender(name: str, field: str) -> Iterator[None]:
    # Pillow's readers raise two dozen kinds of exception on damaged data, struct.error and IndexError among them.
    try:
        with _strict_about_size(name):
            yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            f"is a truncated or damaged {name} image ({error}); send the file whole", field=field
        ) from error


@contextmanager
def _strict_about_size(name: str) -> Iterator[None]:
    # GIF frames and TIFF tiles have sizes of their own, which Pillow only warns about. Only for these two: leaving
    # catch_warnings makes Python forget which of the user's own warnings it has shown once.
    if not name.startswith(("GIF", "TIFF")):
        yield
        return
    from PIL.Image import DecompressionBombWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", DecompressionBombWarning)
        yield


def encode(pixels: Pixels, format: str, quality: int) -> bytes:
    """`pixels` as a PNG, JPEG or WebP file; what the format cannot hold (alpha in JPEG, CMYK in PNG) becomes RGB."""
    modes: dict[str, tuple[str, ...]] = {
        "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
        "JPEG": ("L", "RGB", "CMYK"),
        "WEBP": ("RGB", "RGBA"),
    }
    if pixels.mode not in modes[format]:
        pixels = rgb(pixels)
    options: dict[str, Any] = {} if format == "PNG" else {"quality": quality}
    file = io.BytesIO()
    pixels.save(file, format=format, **options)
    return file.getvalue()


def rgb(pixels: Pixels) -> Pixels:
    """`pixels` as 8-bit RGB: alpha is dropped, 16-bit grey keeps its upper 8 bits."""
    if pixels.mode.startswith("I"):
        pixels = pixels.point(lambda value: value * (1 / 256)).convert("L")
    elif pixels.mode == "P" and "transparency" in pixels.info:
        # Pillow warns when such a palette goes to RGB directly.
        pixels = pixels.convert("RGBA")
    return pixels if pixels.mode == "RGB" else pixels.convert("RGB")
