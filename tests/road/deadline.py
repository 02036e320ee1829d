"""Waiting in tests: until something is true, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_AGAIN_S = 0.01


def eventually(what: str, look: Callable[[], T], *, seconds: float = 15.0) -> T:
    """What `look` returns as soon as it is true. Fails the test, naming `what`, when it is not within `seconds`."""
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}; last seen: {seen!r}")
        time.sleep(_LOOK_AGAIN_S)
    return seen
