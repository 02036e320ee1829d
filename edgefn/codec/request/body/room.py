"""Memory for what a document holds, asked for before it is read: msgspec does not ask whether it got any.

Its reader of JSON (0.22.0) writes a text to wherever it finds no memory for one, and the process ends by SIGSEGV, with
the calls beside it. So where the memory may end within a document that has texts, the standard library's reader, which
asks, goes first.
"""

from __future__ import annotations

import ctypes
import json
import threading
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")
Buffer = bytes | bytearray | memoryview

LARGE_BYTES = 1 << 20
"""Smaller documents are just read."""
MAX_TIMES = 40
"""So many times its size a document takes at most as Python's objects: `[],` is 88 bytes and 8 of its place, twice."""

_lock = threading.Lock()


def read(decode: Callable[[Buffer], T], body: Buffer) -> T:
    """Decode JSON. Raise MemoryError where there is no memory for it, and what `decode` does."""
    if len(body) < LARGE_BYTES:
        return decode(body)
    with _lock:  # what another thread reads meanwhile would take what was found
        if not _there_are(MAX_TIMES * len(body)):
            _expect(body)
        return decode(body)


def _there_are(size: int) -> bool:
    """Tell whether malloc can give that many bytes at once; none is touched."""
    libc = _libc()
    block = libc.malloc(size)
    libc.free(block)
    return bool(block)


def _expect(body: Buffer) -> None:
    """Raise MemoryError where a document with texts takes more than there is."""
    text = str(body, "latin-1")  # a byte each: what is read of it has the shape of the document
    if '"' not in text or _there_are(_most(text)):
        return
    # Of all texts of one letter and of all equal keys the other reader has one; here it reads floats for whole numbers.
    libc = _libc()
    spare = libc.malloc(len(text) * _width(text) + 8 * text.count(",") + 32 * text.count('"'))
    if not spare:
        raise MemoryError
    try:
        json.loads(text, strict=False, parse_int=float)
    except ValueError:
        pass  # the other reader says why
    finally:
        libc.free(spare)


def _most(text: str) -> int:
    """Return how many bytes a document takes at most, as CPython's objects and their places."""
    values = text.count(",") + text.count("[") + text.count("{") + 1
    containers = 88 * text.count("[") + 200 * text.count("{") + 80 * text.count(":")
    return len(text) * _width(text) + 48 * values + containers + 32 * text.count('"')


def _width(text: str) -> int:
    """Return the bytes of a letter: one emoji makes them 4 in all of its text."""
    return 1 if text.isascii() else 4


@cache
def _libc() -> Any:
    libc = ctypes.PyDLL(None)
    libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
    libc.free.restype, libc.free.argtypes = None, [ctypes.c_void_p]
    return libc
