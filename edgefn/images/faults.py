"""What is wrong with a sender's picture, in words: damaged, of a kind that is not read, or no picture at all."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from edgefn.errors import InputError
from edgefn.images.files.formats import READ, named, unread_kind

_UNREAD = re.compile(
    r"unknown pixel mode|unknown data organization|not yet supported|[Uu]nsupported|cannot handle|samples per pixel"
    r"|unable to determine J2K|[Nn]o codec available|^\d+$"
)
"""What Pillow says of a file that may be whole, but of a kind that it does not read; a number is TIFF's compression."""


@contextmanager
def of_sender(name: str, data: bytes, field: str) -> Iterator[None]:
    """Raise InputError in place of a decoder's errors for the picture `data`, without a warning.

    MemoryError passes unchanged.
    """
    # Pillow's readers raise two dozen kinds of exception on damaged data, struct.error and IndexError among them.
    try:
        with _quiet() if _is_warned_about(name, data) else nullcontext():
            yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        if _UNREAD.search(str(error)):
            raise InputError(unread(name, str(error)), field=field) from error
        raise InputError(
            f"is a truncated or damaged {name} image ({error}); send the whole file", field=field
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


def unknown(data: bytes) -> str:
    """Return the message for `data` that begins like no format that is read."""
    if kind := unread_kind(data):
        return f"is {kind}, which is not supported; send {READ}"
    if not data:
        return f"is empty, a file of 0 bytes; send {READ}"
    return f"is not a supported image: {len(data)} bytes that begin {data[:8].hex(' ')}; send {READ}"


def unread(name: str, reason: str) -> str:
    """Return the message for a file of format `name` that is not read, although no damage is known."""
    return f"is {named(name)} picture of an unsupported kind ({reason}), though it may be intact; send {READ}"
