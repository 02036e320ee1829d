"""Which deployments of a function stay on the box. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from edgefn_runtime.store.database import HistoryEntry

ON_DISK = 3
"""Deployments whose files stay: the current one, and those that a rollback without a network can reach."""

REMEMBERED = 20
"""Deployments in a status; their files may be removed."""


def kept(history: Sequence[HistoryEntry], current: int, count: int = ON_DISK) -> list[HistoryEntry]:
    """Return the `count` most important entries of `history`.

    First the one that serves, then those that rollbacks go to, then the newest.
    """
    by_number = {entry.number: entry for entry in history}
    newest = sorted(by_number.values(), key=lambda entry: -entry.number)
    order = dict.fromkeys(entry.number for entry in (*_lineage(by_number, current), *newest))
    return [by_number[number] for number in order][:count]


def forgotten(history: Sequence[HistoryEntry], current: int) -> list[int]:
    """Return the numbers of the deployments that a status need not list any more."""
    remembered = {entry.number for entry in kept(history, current, REMEMBERED)}
    return [entry.number for entry in history if entry.number not in remembered]


def lineage(history: Iterable[HistoryEntry], current: int) -> list[HistoryEntry]:
    """Return the entry that serves, the one that served before it, the one before that, and so on."""
    return _lineage({entry.number: entry for entry in history}, current)


def _lineage(by_number: dict[int, HistoryEntry], number: int | None) -> list[HistoryEntry]:
    found = []
    while number is not None and (entry := by_number.get(number)) is not None:
        found.append(entry)
        number = entry.previous
    return found
