"""Pages of libraries that a fork would otherwise map one by one, as it comes to them.

fork() leaves a file's pages out: they are the page cache's, and each first touch is a fault that maps sixteen of them.
For a process that has time before it is needed, one call maps them all. No memory is taken by that.
"""

from __future__ import annotations

import ctypes
import re
from typing import Final, NamedTuple

_POPULATE_READ: Final = 22  # MADV_POPULATE_READ, Linux 5.14; older kernels refuse it, and nothing is lost
LEAST_KB: Final = 256
_libc = ctypes.CDLL(None)
_MAPPING = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) r-[x-]p [0-9a-f]+ \S+ [1-9]\d* ", re.M)
_RESIDENT = re.compile(r"^Rss: +(\d+) kB", re.M)


class Range(NamedTuple):
    """Addresses of one mapping."""

    start: int
    size: int


def libraries() -> list[Range]:
    """The read-only mappings of files of which this process has touched at least LEAST_KB."""
    with open("/proc/self/smaps", "rb") as smaps:
        text = smaps.read().decode("ascii", "replace")
    found = []
    for mapping in _MAPPING.finditer(text):
        start, end = (int(mapping[place], 16) for place in (1, 2))
        resident = _RESIDENT.search(text, mapping.end())
        if resident is not None and int(resident[1]) >= LEAST_KB:
            found.append(Range(start, end - start))
    return found


def touch(ranges: list[Range]) -> None:
    """What is cached of the files mapped there is mapped in this process as well."""
    for start, size in ranges:
        _libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(size), _POPULATE_READ)
