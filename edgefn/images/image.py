"""`Image`: the type hint of a handler for a picture. Pillow inside, decoded only when pixels are asked for.

It owns laziness, resizing, and whether a broken picture is the caller's error. It must never keep decoded pixels: an
instance that serves photos would hold hundreds of megabytes between requests. Ask once, keep the result.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from edgefn.images.blame import to_author, to_caller
from edgefn.images.geometry import Fit, Size, check_wanted, fit_into, least_decoded
from edgefn.text.suggestion import did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as Pixels
    from PIL.ImageFile import ImageFile

    from edgefn.images.decoder import EncodedPicture

Resample = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
EncodedFormat = Literal["PNG", "JPEG", "WEBP"]

_RESAMPLES = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
_ENCODED = ("PNG", "JPEG", "WEBP")


class Image:
    """A picture, from a file, from bytes or from Pillow; always upright, whatever its EXIF orientation says.

    What reads it (`size`, `pil`, `array`, ...) raises InputError when the bytes are not a picture that is read, are
    truncated, or announce more than `edgefn.images.decoder.MAX_PIXELS` pixels, and its subclass PictureTooLarge when
    decoding needs more memory than there is. `Image(data)` itself reads nothing. A picture of the function's own
    (`Image.open`, `Image.from_pil`) is never the caller's fault: there it is ValueError and MemoryError.
    """

    __slots__ = ("_data", "_field", "_header", "_lenient", "_opened", "_own", "_page", "_pixels")

    def __init__(self, data: bytes | bytearray | memoryview, *, field: str = "", lenient: bool = False) -> None:
        """Hold the picture encoded in `data`; `field` is the request's field that an InputError will name.

        `lenient`: a JPEG or PNG that was cut short gives the pixels that are there, the rest grey.
        """
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"Image takes bytes, not {type(data).__name__}; see Image.open and Image.from_pil")
        self._data = bytes(data)
        self._field = field
        self._lenient = lenient
        self._own = False
        self._page: int | None = None
        self._pixels: Pixels | None = None
        self._opened: ImageFile | None = None
        self._header: tuple[str, Size, int] | None = None

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, lenient: bool = False) -> Image:
        """Return the picture of a file.

        Raise OSError when it cannot be read; ValueError later, when it is broken.
        """
        image = cls(Path(path).read_bytes(), field=os.fspath(path), lenient=lenient)
        image._own = True
        return image

    @classmethod
    def from_pil(cls, pixels: Pixels) -> Image:
        """Return the picture of a Pillow image, which is not copied."""
        image = cls(b"")
        image._pixels = pixels
        image._own = True
        return image

    def named(self, field: str, *, lenient: bool = False) -> Image:
        """Return this picture, from now on naming `field` in its InputErrors, and `lenient` where that is asked for."""
        self._field = field
        self._lenient = self._lenient or lenient
        return self

    def page(self, number: int) -> Image:
        """Return page `number`, from 0, of a TIFF, or that frame of a GIF, WebP, AVIF or animated PNG.

        Raise InputError (ValueError for a picture of the function's own) when it has no such page.
        """
        if not isinstance(number, int):
            raise ValueError(f"page is {number!r}: use a whole number, 0 or more")
        if self._pixels is not None and number != 0:
            raise ValueError(f"pixels have only page 0, not page {number}")
        image = Image(self._data, field=self._field, lenient=self._lenient)
        image._own, image._pixels, image._page = self._own, self._pixels, number
        image.read_header()
        return image

    @property
    def pages(self) -> int:
        """Return the number of pages or frames; 1 for most pictures."""
        from edgefn.images.decoder import count_pages, open_header

        if self._pixels is not None:
            return 1
        with self._blame():
            return count_pages(self._source(), open_header(self._source()))

    @property
    def size(self) -> Size:
        """Return (width, height) upright, from the header alone."""
        from edgefn.images.orientation import lies_on_its_side

        _, (width, height), orientation = self.read_header()
        return (height, width) if lies_on_its_side(orientation) else (width, height)

    @property
    def format(self) -> str:
        """Return Pillow's name of the encoded format, e.g. "JPEG"; "" for pixels that were never encoded."""
        return self.read_header()[0]

    @property
    def file(self) -> bytes:
        """Return the bytes that it was made of.

        Empty for a page of a file, and for pixels that were never encoded.
        """
        return self._data if self._page is None else b""

    def pil(self, mode: str = "RGB") -> Pixels:
        """Return a Pillow image of its own, decoded in full, upright, in `mode`.

        What is black stays black and white stays white: 16-bit grey and integers are scaled from 0 to 65,535, floats
        from 0 to 1. "I;16", "I" and "F" keep the values.
        """
        from edgefn.images.modes import check_mode, converted
        from edgefn.images.orientation import upright

        check_mode(mode)
        with self._blame():
            pixels = upright(self._decode()[0], self.read_header()[2])
            pixels = converted(pixels, mode, self._field)
            return pixels.copy() if pixels is self._pixels else pixels

    def array(
        self,
        size: Size | None = None,
        *,
        fit: Fit = "cover",
        resample: Resample = "bilinear",
        fill: tuple[int, int, int] = (0, 0, 0),
    ) -> NDArray[np.uint8]:
        """Return uint8 RGB pixels (height, width, 3), C-contiguous, of `size` (width, height) or as they are.

        `fit`: "cover" (fills, middle taken), "contain" (whole image, padded with `fill`), "stretch". A JPEG
        is decoded at 1/2, 1/4 or 1/8 scale where that still is twice the wanted size.
        """
        from edgefn.images.wide import array

        if size is None:
            with self._blame():
                return array(self.pil())
        check_wanted(size, fit)
        if resample not in _RESAMPLES:
            raise ValueError(f"resample is {resample!r}{did_you_mean(str(resample), _RESAMPLES)}")
        with self._blame():
            return array(_padded(self._resized(size, fit, resample), size, fill))

    def encode(self, format: EncodedFormat = "PNG", *, quality: int | None = None) -> bytes:
        """Return the picture as a PNG, JPEG or WebP file.

        The bytes it came with, unchanged, when they are of that format and no `quality` (1 to 100; 90 when encoded
        anew) is asked for. Raise ValueError when the format holds no picture so large (`encoder.holds`).
        """
        from edgefn.images import encoder
        from edgefn.images.orientation import upright

        if format not in _ENCODED:
            raise ValueError(f"format is {format!r}{did_you_mean(str(format), _ENCODED)}")
        held, _, orientation = self.read_header()
        if held == format and self.file and quality is None:
            return self.file
        with self._blame():
            pixels = upright(self._decode()[0], orientation)
            return encoder.encode(pixels, format, 90 if quality is None else quality, self._field)

    def _repr_png_(self) -> bytes:
        return self.encode("PNG")

    def __repr__(self) -> str:
        if self._header is None and self._pixels is None:
            return f"<edgefn.Image of {len(self._data)} bytes>"
        return f"<edgefn.Image {self.format or 'pixels'} {self.size[0]}x{self.size[1]}>"

    def read_header(self) -> tuple[str, Size, int]:
        """Return (format, size as stored, EXIF orientation), read once; raises InputError where `size` would."""
        if self._header is None:
            from edgefn.images.orientation import orientation

            with self._blame():
                pixels = self._pixels if self._pixels is not None else self._open()
                self._header = (pixels.format or "", pixels.size, orientation(pixels, self._data))
        return self._header

    def _source(self) -> EncodedPicture:
        from edgefn.images.decoder import EncodedPicture

        return EncodedPicture(self._data, self._page, self._lenient, self._field)

    def _open(self) -> ImageFile:
        from edgefn.images.decoder import open_header

        self._opened = open_header(self._source())
        return self._opened

    def _decode(self, least: Size | None = None) -> tuple[Pixels, int]:
        """Return the stored pixels, not put upright, and by how much a JPEG was reduced, to no less than `least`."""
        from edgefn.images.decoder import decode

        self.read_header()
        if self._pixels is not None:
            return self._pixels, 1
        opened, self._opened = self._opened or self._open(), None
        return decode(self._source(), opened, least)

    def _resized(self, size: Size, fit: Fit, resample: Resample) -> Pixels:
        # In the stored orientation, turned at the end: less to turn, and a reduced JPEG's last, partial column
        # stays on the right, where `box` leaves it out.
        from PIL.Image import Resampling

        from edgefn.images.modes import rgb
        from edgefn.images.orientation import lies_on_its_side, upright

        _, stored, orientation = self.read_header()
        fitting = fit_into(stored, size[::-1] if lies_on_its_side(orientation) else size, fit)
        decoded, reduction = self._decode(least_decoded(stored, fitting))
        left, top, right, bottom = (edge / reduction for edge in fitting.box)
        pixels = rgb(decoded, self._field)
        pixels = pixels.resize(fitting.size, Resampling[resample.upper()], (left, top, right, bottom))
        return upright(pixels, orientation)

    def _blame(self) -> AbstractContextManager[None]:
        return to_author() if self._own else to_caller(self._field)


def _padded(pixels: Pixels, size: Size, fill: tuple[int, int, int]) -> Pixels:
    if pixels.size == size:
        return pixels
    from PIL.Image import new

    canvas = new("RGB", size, fill)
    canvas.paste(pixels, ((size[0] - pixels.width) // 2, (size[1] - pixels.height) // 2))
    return canvas
