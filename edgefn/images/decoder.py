"""Encoded pictures from outside: recognised by their first bytes, refused before decoding when they are too large.

The only module that hands bytes from outside to Pillow. It must never let Pillow try a format that is not in FORMATS
(its EPS reader starts Ghostscript), nor decode a pixel before the header's size was checked. Pillow is imported on
first use.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from edgefn.errors import InputError
from edgefn.images import faults, memory
from edgefn.images.files import bigtiff, jpeg, png, tiff, webp
from edgefn.images.files.formats import recognise as recognise  # others look for it here
from edgefn.images.files.plugins import reader

if TYPE_CHECKING:
    from PIL.Image import Image as Pixels
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 2**26
"""67 megapixels: the photos of 64-megapixel sensors pass (9248 x 6944), and their RGB, 201 MB, fits the default
memory of an instance (512 MiB) together with one copy."""


class EncodedPicture(NamedTuple):
    """An encoded picture: its bytes, the page that is wanted (None: the file's own), and how it is read.

    lenient    a JPEG or PNG cut short gives what is there, the rest grey
    field      the request's field that an InputError names
    """

    data: bytes
    page: int | None = None
    lenient: bool = False
    field: str = ""


def open_header(source: EncodedPicture) -> ImageFile:
    """Return Pillow's image of `source`, its header read and its size within MAX_PIXELS.

    No pixel is decoded yet.
    """
    data, field = source.data, source.field
    name = recognise(data)
    if name is None:
        raise InputError(faults.unknown(data), field=field)
    with _enough_memory(source, *_allocated_to_open(name, source)), faults.of_sender(name, data, field):
        if name == "BigTIFF (big-endian)":
            data = bigtiff.classic(data)
        # The plugin's class, not PIL.Image.open: that one warns on large images and tries further formats.
        opened: ImageFile = reader(name, field)(io.BytesIO(data))
        _check(opened, name, source)
        if source.page is not None:
            _turn_to(opened, name, source)
    return opened


def count_pages(source: EncodedPicture, opened: ImageFile) -> int:
    """Return how many pages or frames `opened` has."""
    with faults.of_sender(opened.format or "image", source.data, source.field):
        if opened.format == "TIFF":
            return tiff.count_pages(source.data)
        return int(getattr(opened, "n_frames", 1))


def decode(source: EncodedPicture, opened: ImageFile, least: tuple[int, int] | None = None) -> tuple[Pixels, int]:
    """Return the pixels of `opened`, and by how much a JPEG was reduced, to no less than `least`.

    Raise InputError when the data is truncated or damaged, PictureTooLarge when there is not enough memory.
    """
    name, size, needed = opened.format or "image", opened.size, memory.progressive_bytes(opened)
    draft = _draft(opened, least)
    needed += memory.needed_bytes(opened)
    with _enough_memory(source, size, needed), faults.of_sender(name, source.data, source.field):
        pixels = _loaded(source, opened, least)
        if draft == 1 and pixels.size != size:
            raise ValueError(
                f"its header declares {size[0]}x{size[1]} pixels, but it has {pixels.width}x{pixels.height}"
            )
        return pixels, draft


def _allocated_to_open(name: str, source: EncodedPicture) -> tuple[tuple[int, int], int]:
    """Return the size of a picture whose reader allocates memory when it opens, and the bytes.

    Zeros for most pictures.
    """
    if name != "WEBP":
        return (0, 0), 0
    size = webp.size(source.data)
    _check_size(size, source.field)
    return size, size[0] * size[1] * webp.CANVAS_BYTES


@contextmanager
def _enough_memory(source: EncodedPicture, size: tuple[int, int], needed: int) -> Iterator[None]:
    """Raise PictureTooLarge when `needed` bytes are not there, before anything is done or after it failed for that."""
    if memory.is_short(needed, memory.SLACK):
        raise memory.too_large(size, needed, source.field)
    try:
        yield
    except MemoryError as error:
        memory.release(error)
        if not needed:
            raise
        raise memory.too_large(size, needed, source.field) from None
    except InputError:
        if memory.is_short(needed):  # codecs call it a broken stream when an allocation fails
            raise memory.too_large(size, needed, source.field) from None
        raise


def _draft(opened: ImageFile, least: tuple[int, int] | None) -> int:
    """Make Pillow decode a JPEG as small as `least` allows; return the factor of the reduction."""
    if least is None or opened.format != "JPEG":  # others may give a thumbnail instead
        return 1
    width = opened.width
    draft = opened.draft(None, least)
    return 1 if draft is None else round(width / draft[1][2])


def _loaded(source: EncodedPicture, opened: ImageFile, least: tuple[int, int] | None) -> Pixels:
    try:
        if opened.format == "TIFF":
            tiff.prepare(opened)
        opened.load()
    except MemoryError:
        raise
    except Exception as error:
        completed = _completed(source, opened.format or "", least)
        if completed is not None:
            return completed
        if opened.format == "JPEG" and (kind := jpeg.unread_frame(source.data)):
            raise InputError(faults.unread("JPEG", kind), field=source.field) from error
        raise
    return _mended(opened, source.data)


def _mended(opened: ImageFile, data: bytes) -> Pixels:
    """Return the loaded `opened` with what Pillow reads otherwise than the file of `data` has it."""
    if opened.format == "PNG" and "transparency" in opened.info:
        opened.info["transparency"] = png.transparent(data, opened.info["transparency"])
    return tiff.mended(opened) if opened.format == "TIFF" else opened


def _completed(source: EncodedPicture, name: str, least: tuple[int, int] | None) -> Pixels | None:
    """Return the pixels of a file that lacks its end, or None when that is not what is wrong with it."""
    if name == "PNG" and source.lenient and not source.page:
        whole = png.completed(source.data)
        return None if whole is None else _pixels_of(whole, least)
    if name != "JPEG" or not jpeg.lacks_end(source.data):
        return None
    if source.lenient:
        return _pixels_of(jpeg.ended(source.data), least)
    if not jpeg.has_all_scans(source.data):
        return None
    from hashlib import blake2b

    digests = set()
    for continuation in jpeg.CONTINUATIONS:
        pixels = _pixels_of(jpeg.ended(source.data, continuation), least)
        digests.add(blake2b(pixels.tobytes()).digest())
    return pixels if len(digests) == 1 else None


def _pixels_of(data: bytes, least: tuple[int, int] | None) -> Pixels:
    opened = open_header(EncodedPicture(data))
    _draft(opened, least)
    opened.load()
    return _mended(opened, data)


def _turn_to(opened: ImageFile, name: str, source: EncodedPicture) -> None:
    try:
        page = source.page or 0
        if page < 0 or (opened.format == "TIFF" and page >= tiff.count_pages(source.data)):
            raise EOFError
        opened.seek(page)
    except EOFError:
        pages = count_pages(source, opened)
        counted = f"{pages} page{'s' * (pages != 1)}"
        raise InputError(f"has {counted}, and no page {source.page} (counted from 0)", field=source.field) from None
    _check(opened, name, source)


def _check(opened: ImageFile, name: str, source: EncodedPicture) -> None:
    """Raise InputError when a header has too many pixels, none, or others than Pillow would give."""
    _check_size(opened.size, source.field)
    if min(opened.size) < 1:
        raise InputError(
            f"is an empty image of {opened.width}x{opened.height} pixels: send one with pixels", field=source.field
        )
    if opened.format == "TIFF" and (reason := tiff.unread_reason(opened, source.data)):
        raise InputError(faults.unread(name, reason), field=source.field)


def _check_size(size: tuple[int, int], field: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"is {width}x{height}, {width * height / 1e6:.0f} megapixels; the limit is {MAX_PIXELS / 1e6:.0f}: send a "
            "smaller image",
            field=field,
        )
