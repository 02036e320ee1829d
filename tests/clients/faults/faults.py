"""Functions that refuse, fail or answer what cannot be sent: each in one way."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgefn import InputError, edge_function
from edgefn.errors import NotAcceptable, PictureTooLarge, UnsupportedMediaType

LIMITS: Any = {"memory": "128MiB", "idle": "10s", "scale": (0, 1)}


class OwnRefusal(InputError):
    """An author's own class: a client is told InputError."""

    status = 418


@dataclass
class Checked:
    """A type that checks what it is made of, and fails at that."""

    n: int

    def __post_init__(self) -> None:
        if self.n < 0:
            raise ValueError("n is negative")
        if self.n > 100:
            raise RuntimeError("a mistake of the author's")


@edge_function(**LIMITS)
def refuses(how: str, length: int = 1) -> None:
    """Raise an error for the caller."""
    text = "\udcff" + "long " * length
    if how == "unacceptable":
        raise NotAcceptable(text, available=("text/plain",))
    kinds = {"own": OwnRefusal, "picture": PictureTooLarge, "media": UnsupportedMediaType}
    raise kinds.get(how, InputError)(text, field=how)


@edge_function(**LIMITS)
def fails(how: str) -> None:
    """Raise what is no caller's business."""
    if how == "exit":
        sys.exit(3)
    if how == "cancelled":
        raise asyncio.CancelledError
    raise RuntimeError(how)


@edge_function(**LIMITS)
async def later(how: str) -> str:
    """Answer or fail after a while."""
    await asyncio.sleep(0)
    if how == "cancel":
        raise asyncio.CancelledError
    if how == "raise":
        raise RuntimeError(how)
    return how


@edge_function(**LIMITS)
def checks(value: Checked) -> int:
    """Take a type that checks."""
    return value.n


@edge_function(**LIMITS)
def gives(what: str) -> Any:
    """Give a result that few forms hold, or none."""
    results: dict[str, Any] = {
        "tuple key": {(1, 2): 3},
        "complex": np.array([1j]),
        "object": object(),
        "surrogate": "\udcff",
        "nan": float("nan"),
        "large": b"x" * (64 * 2**20 + 1),
        "generator": (n for n in range(3)),
    }
    return results[what]


@edge_function(**(LIMITS | {"max_body": 40}))
def small(text: str = "") -> int:
    """Take a few bytes."""
    return len(text)


@edge_function(**(LIMITS | {"unknown_query": "ignore"}))
def patient(n: int = 0) -> int:
    """Ignore query parameters that it does not have."""
    return n
