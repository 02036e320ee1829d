"""Answers of the box as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgefn.api.boxes import BoxInfo
from edgefn.api.tokens import TokenList


def about(box: BoxInfo, told: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each member that was `told` of the box, and one for each deployed artifact that it cannot run.

    A newer box may tell more than `box` knows.
    """
    width = max(map(len, told), default=0)
    for name, value in told.items():
        if name != "refused":
            yield f"{name.ljust(width)}  {_text(box.targets.satisfied if name == 'targets' else value)}"
    for why in box.refused:
        yield f"not for this box: {why.function}: {why.artifact} needs {why.needs}, here is {why.has}: {why.fix}"


def tokens(found: TokenList) -> Iterator[str]:
    """Yield a line for each token: name, scopes, rate, time of creation, uses."""
    for one in found.tokens:
        rate = f"{one.rate:g}/s" if one.rate else "any rate"
        since = one.created_at or "the first start"
        yield f"{one.name}  {' '.join(one.scopes)}  {rate}  since {since}  used {one.uses} times"


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_text(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    words = {"None": "none", "True": "yes", "False": "no"}
    return words.get(str(value), str(value))
