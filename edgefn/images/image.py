"""`Image`: what a handler says to be given a picture. Pillow inside, decoded only when pixels are asked for.

It owns laziness, orientation and resizing. It must never keep decoded pixels: an instance that serves photos would
hold hundreds of megabytes between requests. Ask once, keep the result.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgefn.images.geometry import Fit, Size, check_wanted, fit_into, least_decoded
from edgefn.suggestion import did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as Pixels
    from PIL.ImageFile import ImageFile

Resample = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
EncodedFormat = Literal["PNG", "JPEG", "WEBP"]

_RESAMPLES = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_ENCODED = ("PNG", "JPEG", "WEBP")


class Image:
    """A picture, from a file, from bytes or from Pillow; always upright, whatever its EXIF orientation says.

    What reads it (`size`, `pil`, `array`, ...) raises InputError when the bytes are not an image, are truncated, or
    announce more than `edgefn.images.decoder.MAX_PIXELS` pixels. `Image(data)` itself reads nothing.
    """

    __slots__ = ("_data", "_field", "_header", "_opened", "_pixels")

    def __init__(self, data: bytes | bytearray | memoryview, *, field: str = "") -> None:
        """The image encoded in `data`; `field` is the request's field that an InputError will name."""
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"Image takes bytes, not {type(data).__name__}; see Image.open and Image.from_pil")
        self._data = bytes(data)
        self._field = field
        self._pixels: Pixels | None = None
        self._opened: ImageFile | None = None
        self._header: tuple[str, Size, int] | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Image:
        """The image of a file. Raises OSError when it cannot be read."""
        return cls(Path(path).read_bytes(), field=os.fspath(path))

    @classmethod
    def from_pil(cls, pixels: Pixels) -> Image:
        """The image of a Pillow image, which is not copied."""
        image = cls(b"")
        image._pixels = pixels
        return image

    def named(self, field: str) -> Image:
        """This image, its InputErrors from now on naming `field`."""
        self._field = field
        return self

    @property
    def size(self) -> Size:
        """(width, height) upright, from the header alone."""
        from edgefn.images.decoder import lies_on_its_side

        _, (width, height), orientation = self.read_header()
        return (height, width) if lies_on_its_side(orientation) else (width, height)

    @property
    def format(self) -> str:
        """Pillow's name of the encoded format, e.g. "JPEG"; empty for pixels that were never encoded."""
        return self.read_header()[0]

    @property
    def file(self) -> bytes:
        """The bytes that it was made of; empty for pixels that were never encoded."""
        return self._data

    def pil(self, mode: str = "RGB") -> Pixels:
        """A Pillow image of its own, decoded in full, upright, in `mode`."""
        from edgefn.images.decoder import rgb, upright

        pixels = upright(self._decode()[0], self.read_header()[2])
        pixels = rgb(pixels) if mode == "RGB" else pixels if pixels.mode == mode else pixels.convert(mode)
        return pixels.copy() if pixels is self._pixels else pixels

    def array(
        self,
        size: Size | None = None,
        *,
        fit: Fit = "cover",
        resample: Resample = "bilinear",
        fill: tuple[int, int, int] = (0, 0, 0),
    ) -> NDArray[np.uint8]:
        """uint8 RGB pixels (height, width, 3), C-contiguous, of `size` (width, height) or as they are.

        `fit`: "cover" (fills, middle taken), "contain" (whole image, padded with `fill`), "stretch". A JPEG
        is decoded at 1/2, 1/4 or 1/8 scale where that still is twice the wanted size.
        """
        import numpy as np

        if size is None:
            return np.array(self.pil(), dtype=np.uint8)
        check_wanted(size, fit)
        if resample not in _RESAMPLES:
            raise ValueError(f"resample is {resample!r}{did_you_mean(str(resample), _RESAMPLES)}")
        return np.array(_padded(self._resized(size, fit, resample), size, fill), dtype=np.uint8)

    def encode(self, format: EncodedFormat = "PNG", *, quality: int | None = None) -> bytes:
        """The image as a PNG, JPEG or WebP file.

        The bytes it came with, unchanged, when they are of that format and no `quality` (1 to 100; 90 when encoded
        anew) is asked for.
        """
        from edgefn.images import decoder

        if format not in _ENCODED:
            raise ValueError(f"format is {format!r}{did_you_mean(str(format), _ENCODED)}")
        held, _, orientation = self.read_header()
        if held == format and self._data and quality is None:
            return self._data
        pixels = decoder.upright(self._decode()[0], orientation)
        return decoder.encode(pixels, format, 90 if quality is None else quality)

    def _repr_png_(self) -> bytes:
        return self.encode("PNG")

    def __repr__(self) -> str:
        if self._header is None and self._pixels is None:
            return f"<edgefn.Image of {len(self._data)} bytes>"
        return f"<edgefn.Image {self.format or 'pixels'} {self.size[0]}x{self.size[1]}>"

    def read_header(self) -> tuple[str, Size, int]:
        """(format, size as stored, EXIF orientation), read once; raises InputError where `size` would."""
        if self._header is None:
            from edgefn.images.decoder import open_header, orientation

            if self._pixels is None:
                self._opened = open_header(self._data, self._field)
            pixels = self._pixels if self._opened is None else self._opened
            assert pixels is not None
            self._header = (pixels.format or "", pixels.size, orientation(pixels))
        return self._header

    def _decode(self, least: Size | None = None) -> tuple[Pixels, int]:
        """The stored pixels, not put upright, and by how much a JPEG was reduced, to no less than `least`."""
        from edgefn.images.decoder import load_pixels, open_header

        self.read_header()
        if self._pixels is not None:
            return self._pixels, 1
        opened, self._opened = self._opened or open_header(self._data, self._field), None
        width = opened.width
        draft = None if least is None else opened.draft(None, least)
        load_pixels(opened, self._field)
        return opened, 1 if draft is None else round(width / draft[1][2])

    def _resized(self, size: Size, fit: Fit, resample: Resample) -> Pixels:
        # In the stored orientation, turned at the end: less to turn, and a reduced JPEG's last, partial column
        # stays on the right, where `box` leaves it out.
        from PIL.Image import Resampling

        from edgefn.images.decoder import lies_on_its_side, rgb, upright

        _, stored, orientation = self.read_header()
        fitting = fit_into(stored, size[::-1] if lies_on_its_side(orientation) else size, fit)
        decoded, reduction = self._decode(least_decoded(stored, fitting))
        left, top, right, bottom = (edge / reduction for edge in fitting.box)
        pixels = rgb(decoded).resize(fitting.size, Resampling[resample.upper()], (left, top, right, bottom))
        return upright(pixels, orientation)


def _padded(pixels: Pixels, size: Size, fill: tuple[int, int, int]) -> Pixels:
    if pixels.size == size:
        return pixels
    from PIL.Image import new

    canvas = new("RGB", size, fill)
    canvas.paste(pixels, ((size[0] - pixels.width) // 2, (size[1] - pixels.height) // 2))
    return canvas
