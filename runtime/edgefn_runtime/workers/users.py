"""The users that functions run as, where the box is root or its user has sub-uids.

Each function has one number from a range, kept from run to run. No two functions of a box share a number. Another box
on the machine begins elsewhere in the range, because the kernel counts the processes of one number together.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final, Protocol

from edgefn.errors import Unavailable
from edgefn.system import subids

WIDE: Final = range(70_000, 80_000)
"""Beyond 16 bits and below all that /etc/subuid gives out by default (100000)."""
NARROW: Final = range(60_578, 61_184)
"""For a container of 65,536 users: systemd and Debian do not assign these, below systemd's dynamic users (61184)."""


class Book(Protocol):
    """Where the numbers are kept: the database."""

    def users(self) -> dict[str, int]: ...
    def keep_user(self, name: str, uid: int) -> None: ...


class NoBook:
    """Stores nothing."""

    def users(self) -> dict[str, int]:
        return {}

    def keep_user(self, name: str, uid: int) -> None: ...


class Users:
    """Assigns `uids` to functions, from `start` on and round. A function in `in_use` keeps its user to itself."""

    def __init__(self, book: Book, uids: range, start: str, in_use: Callable[[], Collection[str]] = lambda: ()) -> None:
        self._book = book
        self._uids = uids
        self._first = zlib.crc32(start.encode()) % len(uids)
        self._in_use = in_use
        self._known: dict[str, int] | None = None

    def uid_of(self, name: str) -> tuple[int, bool]:
        """Return the user of `name`, and whether it is new, to be kept. Raises Unavailable when all are taken."""
        if self._known is None:
            self._known = {one: uid for one, uid in self._book.users().items() if uid in self._uids}
        found = self._known.get(name)
        if found is not None:
            return found, False
        self._known[name] = uid = self._next()
        return uid, True

    def keep(self, name: str, uid: int) -> None:
        """Write the user of `name` down. Blocks."""
        self._book.keep_user(name, uid)

    def _next(self) -> int:
        known = self._known or {}
        taken = set(known.values())
        if len(taken) == len(self._uids):
            in_use = self._in_use()
            gone = next((one for one in known if one not in in_use), None)
            if gone is None:
                raise Unavailable(
                    f"functions use all {len(self._uids)} users of {self._uids[0]}-{self._uids[-1]}: give the box "
                    "more with --uids"
                )
            return known.pop(gone)
        size = len(self._uids)
        return next(uid for at in range(size) if (uid := self._uids[(self._first + at) % size]) not in taken)


def default_range(uid_map: Path = Path("/proc/self/uid_map")) -> range:
    """Return the users that this machine, this container, or this process's user has for functions."""
    if own := subids.available():
        return own
    try:
        spans = [tuple(map(int, line.split())) for line in uid_map.read_text("ascii").splitlines()]
    except OSError:
        return NARROW
    wide = any(first <= WIDE[0] and WIDE[-1] < first + count for first, _, count in spans)
    return WIDE if wide else NARROW
