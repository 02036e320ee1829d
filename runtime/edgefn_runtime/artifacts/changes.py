"""Changes of this machine since the box's last start: another CPU, another version of a library.

    <finished>/facts.json       the facts of the last start, and how they differed from those before

Finished artifacts are in a folder named after the facts' fingerprint, so a change has them all made again; this module
gives people the reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from edgefn_runtime.store.disk import Disk, write_file

FILE = "facts.json"
_MAX_CHARACTERS = 60


class Known(msgspec.Struct, frozen=True):
    """`change` is in words, "" where nothing had changed; `at` is the time of the start that found it, ISO 8601."""

    facts: dict[str, Any]
    change: str = ""
    at: str = ""


def look(disk: Disk, folder: Path, facts: Mapping[str, Any], now: str) -> Known:
    """Compare `facts` with those of the last start; store and return the change. Blocks.

    Nothing is written where the facts are the same.
    """
    before = _read(folder)
    if before is not None and before.facts == facts:
        return before
    change = "" if before is None else ", ".join(differences(before.facts, facts))
    known = Known(dict(facts), change, now)
    write_file(disk, folder / FILE, msgspec.json.encode(known))
    return known


def later(one: str, other: str) -> bool:
    """Tell whether the time `one` is after `other`; both ISO 8601."""
    try:
        return datetime.fromisoformat(one) > datetime.fromisoformat(other)
    except (ValueError, TypeError):  # one of them is of a home that somebody has edited
        return False


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield each fact that differs, as "openvino 2026.4.1 → 2027.0".

    Facts of a nested table are named without the table.
    """
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            yield from differences(old or {}, new or {})
        elif old != new:
            yield _difference(name, old, new)


def _difference(name: str, old: object, new: object) -> str:
    if isinstance(old, str) and isinstance(new, str) and len(f"{old}{new}") > 2 * _MAX_CHARACTERS:
        lost, won = (" ".join(sorted({*one.split()} - {*other.split()})) for one, other in ((old, new), (new, old)))
        return f"{name} {_short(lost)} → {_short(won)}"
    return f"{name} {_short(old)} → {_short(new)}"


def _short(value: object) -> str:
    text = str(value or "none")
    return text if len(text) <= _MAX_CHARACTERS else f"{text[:_MAX_CHARACTERS]}…"


def _read(folder: Path) -> Known | None:
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Known)
    except (OSError, msgspec.MsgspecError):
        return None
