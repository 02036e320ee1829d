"""Memory for what a document holds, asked for before it is read: msgspec does not ask whether it got any.

Its reader of JSON (0.22.0) writes a text to wherever it finds no memory for one, and the process ends by SIGSEGV, with
the calls beside it. One text may be as long as its document.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

LARGE_BYTES = 1 << 20
"""Smaller documents are just read."""

_SLACK = 1 << 12


def expect(size: int) -> None:
    """Raise MemoryError where malloc has no `size` bytes at once; it takes none, and touches none."""
    if size < LARGE_BYTES:
        return
    libc = _libc()
    block = libc.malloc(size + _SLACK)
    if not block:
        raise MemoryError
    libc.free(block)


@cache
def _libc() -> Any:
    libc = ctypes.PyDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
    return libc
