"""Answers of the box as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def about(box: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each fact of GET /admin/box, and one for each deployed artifact that the box cannot run."""
    width = max(map(len, box), default=0)
    for name, value in box.items():
        if name == "targets":
            value = value.get("satisfied", [])
        if name != "refused":
            yield f"{name.ljust(width)}  {_text(value)}"
    for why in box.get("refused", ()):
        needs = f"needs {why['needs']}, here is {why['has']}: {why['fix']}"
        yield f"not for this box: {why['function']}: {why['artifact']} {needs}"


def tokens(found: list[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a line for each token: name, scopes, rate, time of creation, uses."""
    for one in found:
        rate = f"{one['rate']:g}/s" if one["rate"] else "any rate"
        since = one["created_at"] or "the first start"
        yield f"{one['name']}  {' '.join(one['scopes'])}  {rate}  since {since}  used {one['uses']} times"


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    words = {"None": "none", "True": "yes", "False": "no"}
    return words.get(str(value), str(value))
