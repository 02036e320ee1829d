"""malloc's free memory before a fork. Memory that is free in the parent costs its forks time.

A fork that allocates such memory copies it page by page, though it holds nothing. So the free pages go back to the
machine, the holes between used blocks are filled, and the end of the heap is cut so short that a fork grows it by fresh
memory, in huge pages (the zygote's tunables, `workers.launch`). That saves 570 of the 2,700 page faults of a cold start
(docs/decisions/cold-start.md). Only glibc is known here; elsewhere nothing is done.
"""

from __future__ import annotations

import ctypes
from typing import Final

LARGEST_HOLE: Final = 1 << 18
SMALLEST_HOLE: Final = 1 << 10
"""Smaller ones are many and hold little."""

SLACK: Final = 1 << 17
"""Bytes left at the end of the heap for the parent: its later allocations must not touch a new huge page."""

_MAX_CACHED: Final = 8
"""Blocks of one size that malloc keeps at hand count as used: there are seven of them at most."""

_MALLINFO: Final = (
    *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
    *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
)
_libc = ctypes.CDLL(None)
_M_ARENA_MAX: Final = -8


class _Mallinfo(ctypes.Structure):
    """struct mallinfo2 (mallinfo(3)): `fordblks` bytes are free, `keepcost` of them at the heap's end."""

    _fields_ = [(name, ctypes.c_size_t) for name in _MALLINFO]


def trim() -> None:
    """Give malloc's free memory back to the machine; do nothing with another C library than glibc."""
    give_back = getattr(_libc, "malloc_trim", None)
    if give_back is not None:
        give_back(0)


def keep_to_one_arena() -> None:
    """Let malloc have no second heap: for a process in which one thread works, before its first other thread.

    Where memory ends, malloc tries the same again in another heap (an arena), and does not give back what that grew by.
    It counts against the limit from then on, and the first heap cannot use it.
    """
    mallopt = getattr(_libc, "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)


def close() -> None:
    """Give this process's free memory back to the machine, and fill the holes in its heap.

    What its forks allocate is then fresh memory.
    """
    trim, info = getattr(_libc, "malloc_trim", None), getattr(_libc, "mallinfo2", None)
    if trim is None or info is None:
        return
    trim(SLACK)  # with nothing left at the end, the next small block would bring a whole huge page along
    info.restype = _Mallinfo
    malloc, free = _libc.malloc, _libc.free
    malloc.restype, malloc.argtypes, free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

    def holes() -> int:
        found = info()
        return int(found.fordblks - found.keepcost)

    size = LARGEST_HOLE
    while size >= SMALLEST_HOLE:
        elsewhere: list[int] = []  # from malloc's cache, or from the end
        while len(elsewhere) < _MAX_CACHED:
            before, block = holes(), malloc(size)
            if holes() > before - size:
                elsewhere.append(block)
        for block in elsewhere:
            free(block)
        size //= 2
    if info().keepcost > 2 * SLACK:
        malloc(info().keepcost - SLACK)
