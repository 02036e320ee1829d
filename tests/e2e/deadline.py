"""Waiting in tests: until something is true, never for a time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_AGAIN_S = 0.01
PATIENCE = float(os.environ.get("EDGEFN_TEST_PATIENCE", "1"))
"""How much longer than on a machine of its own everything may take: an emulated one is ten times slower."""


def eventually(what: str, look: Callable[[], T], *, seconds: float = 15.0) -> T:
    """What `look` returns as soon as it is true. Fails the test, naming `what`, when it is not within `seconds`."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}; last seen: {seen!r}")
        time.sleep(_LOOK_AGAIN_S)
    return seen
