"""`Unholdable`: why a form cannot hold a value, in words that go on from the value's path.

"$.scores[2] " + "is of type fractions.Fraction, which has no encoding: write float(x) or str(x)".
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

_KNOWN = "return Python values, dataclasses, msgspec structs, NumPy arrays, edgefn or Pillow images"


_SHOWN = 60


class Unholdable(TypeError):
    """A form cannot hold a value. Begins with a verb: "is ..." or "has ..."."""


def of_unknown_type(value: Any) -> Unholdable:
    """Say that the type of `value` has no encoding, and what to return instead."""
    kind = type(value)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    instead = _instead(value)
    return Unholdable(f"is of type {name}, which has no encoding{instead and f'; {instead}'}: {_KNOWN}")


def shown(value: Any) -> str:
    """Return `value` for people, cut short; its repr() may be anything, and fail."""
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__qualname__} without a repr()>"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _instead(value: Any) -> str:
    if type(value).__module__.partition(".")[0] == "torch":
        return "write .numpy()"
    if inspect.isawaitable(value):
        return "await it"
    if callable(_method(value, "read")):
        return "write .read()"
    if isinstance(value, Iterator):
        return "collect it in a list"
    if isinstance(value, complex):
        return "write [x.real, x.imag]"
    if isinstance(value, Fraction):
        return "write float(x) or str(x)"
    methods = ("model_dump", "to_dict", "tolist")  # pydantic; pandas; what is like an array
    found = (
        None if isinstance(value, type) else next((name for name in methods if callable(_method(value, name))), None)
    )
    return f"write .{found}()" if found else ""


def _method(value: Any, name: str) -> Any:
    return getattr(type(value), name, None)
