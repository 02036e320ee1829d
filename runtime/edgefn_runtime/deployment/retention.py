"""Which deployments of a function stay on the box. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgefn_runtime.store.database import HistoryEntry

ON_DISK = 3
"""Deployments whose files stay: what serves, and what a rollback without a network can go to."""

REMEMBERED = 20
"""Deployments that a status still tells of; their files may be gone."""


def kept(history: Sequence[HistoryEntry], current: int, count: int = ON_DISK) -> list[HistoryEntry]:
    """The `count` entries of `history` that matter most: what serves, where rollbacks go, then the newest."""
    by_number = {entry.number: entry for entry in history}
    newest = sorted(by_number.values(), key=lambda entry: -entry.number)
    order = dict.fromkeys(entry.number for entry in (*_lineage(by_number, current), *newest))
    return [by_number[number] for number in order][:count]


def forgotten(history: Sequence[HistoryEntry], current: int) -> list[int]:
    """The numbers that even a status need not tell of."""
    remembered = {entry.number for entry in kept(history, current, REMEMBERED)}
    return [entry.number for entry in history if entry.number not in remembered]


def lineage(history: Iterable[HistoryEntry], current: int) -> list[HistoryEntry]:
    """The entry that serves, what served when it came, what served when that came, and so on."""
    return _lineage({entry.number: entry for entry in history}, current)


def _lineage(by_number: dict[int, HistoryEntry], number: int | None) -> list[HistoryEntry]:
    found = []
    while number is not None and (entry := by_number.get(number)) is not None:
        found.append(entry)
        number = entry.previous
    return found
