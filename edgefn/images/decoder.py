"""Encoded pictures from outside: recognised by their first bytes, refused before decoding when they are too large.

The only module that hands bytes from outside to Pillow. It must never let Pillow try a format that is not in FORMATS
(its EPS reader starts Ghostscript), nor decode a pixel before the header's size was checked. Pillow is imported on
first use.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from edgefn.errors import InputError
from edgefn.images import jpeg, memory, png, tiff, webp
from edgefn.images.formats import FORMATS, READ, unread_kind
from edgefn.images.formats import recognise as recognise  # others look for it here

if TYPE_CHECKING:
    from PIL.Image import Image as Pixels
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 2**26
"""67 megapixels: the photos of 64-megapixel sensors pass (9248 x 6944), and their RGB, 201 MB, fits the default
memory of an instance (512 MiB) together with one copy."""

_UNREAD = re.compile(
    r"unknown pixel mode|unknown data organization|not yet supported|[Uu]nsupported|cannot handle|samples per pixel"
    r"|unable to determine J2K|[Nn]o codec available|^\d+$"
)
"""What Pillow says of a file that may be whole, but of a kind that it does not read; a number is TIFF's compression."""


_CODECS = {"AVIF": "_avif", "WEBP": "_webp"}
"""Pillow's modules of codecs that a plugin can do without."""


class Source(NamedTuple):
    """An encoded picture: its bytes, the page that is wanted (None: the file's own), and how it is read.

    lenient    a JPEG or PNG cut short gives what is there, the rest grey
    field      the request's field that an InputError names
    """

    data: bytes
    page: int | None = None
    lenient: bool = False
    field: str = ""


def open_header(source: Source) -> ImageFile:
    """Return Pillow's image of `source`, its header read and its size within MAX_PIXELS; no pixel is decoded yet."""
    data, field = source.data, source.field
    name = recognise(data)
    if name is None:
        raise InputError(_unknown(data), field=field)
    with _enough_memory(source, *_allocated_to_open(name, source)), _faults_of_sender(name, source):
        if name == "BigTIFF (big-endian)":
            data = tiff.classic(data)
        # The plugin's class, not PIL.Image.open: that one warns on large images and tries further formats.
        opened: ImageFile = _reader(name, field)(io.BytesIO(data))
        _check(opened, name, source)
        if source.page is not None:
            _turn_to(opened, name, source)
    return opened


def count_pages(source: Source, opened: ImageFile) -> int:
    """Return how many pages or frames `opened` has."""
    with _faults_of_sender(opened.format or "image", source):
        return int(getattr(opened, "n_frames", 1))


def decode(source: Source, opened: ImageFile, least: tuple[int, int] | None = None) -> tuple[Pixels, int]:
    """Return the pixels of `opened`, and by how much a JPEG was reduced, to no less than `least`.

    Raises InputError when the data is truncated or damaged, PictureTooLarge when there is not enough memory.
    """
    name, size, needed = opened.format or "image", opened.size, memory.progressive_bytes(opened)
    draft = _draft(opened, least)
    needed += memory.needed_bytes(opened)
    with _enough_memory(source, size, needed), _faults_of_sender(name, source):
        pixels = _loaded(source, opened, least)
        if draft == 1 and pixels.size != size:
            raise ValueError(f"its header says {size[0]}x{size[1]} pixels, it has {pixels.width}x{pixels.height}")
        return pixels, draft


def _allocated_to_open(name: str, source: Source) -> tuple[tuple[int, int], int]:
    """Return the size of a picture whose reader allocates as it opens, and how much; zeros for most."""
    if name != "WEBP":
        return (0, 0), 0
    size = webp.size(source.data)
    _check_size(size, source.field)
    return size, size[0] * size[1] * webp.CANVAS_BYTES


@contextmanager
def _enough_memory(source: Source, size: tuple[int, int], needed: int) -> Iterator[None]:
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
    """Have a JPEG decoded as small as `least` allows; return by how much it is reduced."""
    if least is None or opened.format != "JPEG":  # others may give a thumbnail instead
        return 1
    width = opened.width
    draft = opened.draft(None, least)
    return 1 if draft is None else round(width / draft[1][2])


def _loaded(source: Source, opened: ImageFile, least: tuple[int, int] | None) -> Pixels:
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
            raise InputError(_unread("JPEG", kind), field=source.field) from error
        raise
    return tiff.mended(opened) if opened.format == "TIFF" else opened


def _completed(source: Source, name: str, least: tuple[int, int] | None) -> Pixels | None:
    """Return the pixels of a file that lacks its end, or None when that is not what is wrong with it."""
    if name == "PNG" and source.lenient and not source.page:
        whole = png.completed(source.data)
        return None if whole is None else _pixels_of(whole, name, least)
    if name != "JPEG" or not jpeg.lacks_end(source.data):
        return None
    if source.lenient:
        return _pixels_of(jpeg.ended(source.data), name, least)
    if not jpeg.has_all_scans(source.data):
        return None
    from hashlib import blake2b

    digests = set()
    for continuation in jpeg.CONTINUATIONS:
        pixels = _pixels_of(jpeg.ended(source.data, continuation), name, least)
        digests.add(blake2b(pixels.tobytes()).digest())
    return pixels if len(digests) == 1 else None


def _pixels_of(data: bytes, name: str, least: tuple[int, int] | None) -> Pixels:
    opened = open_header(Source(data))
    _draft(opened, least)
    opened.load()
    return opened


def _turn_to(opened: ImageFile, name: str, source: Source) -> None:
    try:
        opened.seek(source.page or 0)
    except EOFError:
        whole = source._replace(page=None)
        pages = count_pages(whole, open_header(whole))  # Pillow's count of a TIFF is wrong after this
        counted = f"{pages} page{'s' * (pages != 1)}"
        raise InputError(f"has {counted}, and no page {source.page} (counted from 0)", field=source.field) from None
    _check(opened, name, source)


def _reader(name: str, field: str) -> type[ImageFile]:
    """Return Pillow's plugin for a format. Raises InputError when this installation has none."""
    _, module, reader = FORMATS[name]
    missing = {"HEIF": "pillow-heif"}.get(name, f"a Pillow with {name}")
    try:
        plugin = import_module(module)
    except ImportError:
        raise InputError(_unsupported(name, missing), field=field) from None
    if "TIFF" in name:
        tiff.silence()
    if name in _CODECS and not plugin.SUPPORTED:
        _load_codec(vars(plugin), name, missing, field)
    if name == "AVIF":
        # One thread for each core would need 8 MiB of stack each; set only where nobody did.
        vars(plugin)["DEFAULT_MAX_THREADS"] = plugin.DEFAULT_MAX_THREADS or 1
    found: type[ImageFile] = getattr(plugin, reader)
    return found


def _load_codec(plugin: dict[str, Any], name: str, missing: str, field: str) -> None:
    """Load a codec that was not loaded with its plugin. Raises InputError when there is none, MemoryError for that."""
    try:
        plugin[_CODECS[name]] = import_module(f"PIL.{_CODECS[name]}")
    except ImportError as error:
        if "segment" in str(error) or "memory" in str(error):  # what ld.so says of a library that it cannot map
            raise MemoryError from error
        raise InputError(_unsupported(name, missing), field=field) from None
    plugin["SUPPORTED"] = True


def _unsupported(name: str, missing: str) -> str:
    return f"is a {name} picture, which is read only where {missing} is installed; send {READ}"


def _unknown(data: bytes) -> str:
    if kind := unread_kind(data):
        return f"is {kind}, a kind that is not read; send {READ}"
    shown = data[:8].hex(" ") or "nothing"
    return f"is not an image that can be read: {len(data)} bytes that begin {shown}; send {READ}"


def _unread(name: str, reason: str) -> str:
    return f"is a {name} picture of a kind that is not read ({reason}), though it may be whole; send {READ}"


def _check(opened: ImageFile, name: str, source: Source) -> None:
    """Raise InputError when a header tells of too many pixels, of none, or of others than Pillow would give."""
    _check_size(opened.size, source.field)
    if min(opened.size) < 1:
        raise InputError(
            f"is an image of {opened.width}x{opened.height} pixels: send one that has pixels", field=source.field
        )
    if opened.format == "TIFF" and (reason := tiff.unread_reason(opened, source.data)):
        raise InputError(_unread(name, reason), field=source.field)


def _check_size(size: tuple[int, int], field: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"is {width}x{height}, {width * height / 1e6:.0f} megapixels; at most {MAX_PIXELS / 1e6:.0f} are "
            "taken: send a smaller image",
            field=field,
        )


@contextmanager
def _faults_of_sender(name: str, source: Source) -> Iterator[None]:
    # Pillow's readers raise two dozen kinds of exception on damaged data, struct.error and IndexError among them.
    try:
        with _quiet() if _is_warned_about(name, source.data) else nullcontext():
            yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        if _UNREAD.search(str(error)):
            raise InputError(_unread(name, str(error)), field=source.field) from error
        raise InputError(
            f"is a truncated or damaged {name} image ({error}); send the file whole", field=source.field
        ) from error


def _is_warned_about(name: str, data: bytes) -> bool:
    # GIF frames and TIFF tiles have sizes of their own, and animated PNGs counts, which Pillow only warns about. Only
    # for these: leaving catch_warnings makes Python forget which of the user's own warnings it has shown once.
    if name == "PNG":
        return data.find(b"acTL", 0, data.find(b"IDAT")) >= 0
    return name.startswith(("GIF", "TIFF", "BigTIFF"))


@contextmanager
def _quiet() -> Iterator[None]:
    from PIL.Image import DecompressionBombWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", DecompressionBombWarning)
        yield
