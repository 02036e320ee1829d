"""Pages of libraries that a fork would otherwise map one by one, as it touches them.

fork() leaves out the pages of files: they are in the page cache, and each first touch is a fault that maps sixteen of
them. A process that has time before it is needed maps all that its parent had mapped by a few calls. That takes no
memory: those pages are shared with the parent.
"""

from __future__ import annotations

import ctypes
import os
import re
from typing import Final, NamedTuple

import numpy as np

_POPULATE_READ: Final = 22  # MADV_POPULATE_READ, Linux 5.14; older kernels refuse it, and nothing is lost
_PRESENT: Final = 63
"""The bit of a pagemap entry that says so (pagemap.rst)."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_libc = ctypes.CDLL(None)
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-[x-]p [0-9a-f]+ \S+ [1-9]\d* ", re.M)


class AddressRange(NamedTuple):
    """Addresses, and bytes from there."""

    start: int
    size: int


def mapped() -> list[AddressRange]:
    """Return the read-only pages of files that this process has mapped.

    Returns none where the kernel does not show them.
    """
    found: list[AddressRange] = []
    try:
        with open("/proc/self/maps", encoding="utf-8") as maps, open("/proc/self/pagemap", "rb") as pagemap:
            for mapping in _MAPPING.finditer(maps.read()):
                start, end = (int(mapping[place], 16) for place in (1, 2))
                pagemap.seek(start // _PAGE * 8)
                entries = np.frombuffer(pagemap.read((end - start) // _PAGE * 8), np.uint64)
                found += _runs(start, (entries >> np.uint64(_PRESENT)).astype(np.int8))
    except OSError:
        return []
    return found


def _runs(start: int, present: np.ndarray[tuple[int, ...], np.dtype[np.int8]]) -> list[AddressRange]:
    """Return the ranges of 1 in `present`, which holds a number for each page from `start` on."""
    edges = np.flatnonzero(np.diff(present, prepend=0, append=0))
    return [
        AddressRange(start + int(first) * _PAGE, int(last - first) * _PAGE)
        for first, last in zip(edges[::2], edges[1::2], strict=True)
    ]


def touch(ranges: list[AddressRange]) -> None:
    """Map those pages in this process, too, which has the same files at these addresses."""
    for start, size in ranges:
        _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _POPULATE_READ)
