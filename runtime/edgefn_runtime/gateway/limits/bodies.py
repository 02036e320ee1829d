"""All request bodies in the box, received and queued, within one bound.

A body counts from its first byte until its call has been answered. When they are over the bound, the slowest client
that has not finished sending is cut off, and a new one waits outside. One body is always let in, however large a
function takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from edgefn.errors import Unavailable

SHARE = 16
"""A sixteenth of the machine's memory, unless the box is configured otherwise."""
MIN_BYTES = 64 * 2**20
YOUNG_S = 1.0
"""The pace of a body that came so lately is not known yet."""
RETRY_S = 2
_PER_SCAN_S = 0.05


class Sender(Protocol):
    """A client that has not sent all of its body."""

    def held(self) -> int:
        """Return how many bytes of it the box holds."""

    def pace(self, now: float) -> tuple[float, float]:
        """Return the bytes a second of the last seconds, and since when they are counted."""

    def cut(self, error: Exception) -> None:
        """End the client's request with `error` and free its bytes."""


class Bodies:
    """The count of bytes, and the clients that are still sending."""

    def __init__(self, most: int = 0) -> None:
        self.most = most or default_bytes()
        self.held = 0
        self.sending: dict[Sender, None] = {}
        self._scanned = float("-inf")

    def refusal(self, length: int, now: float) -> Unavailable | None:
        """Return why a body of `length` bytes is not let in now, None where it is; make room for a later one."""
        if self.held + length <= self.most or not self.held:
            return None
        if now - self._scanned > _PER_SCAN_S:
            self._cut_slowest(None, now)
        return self.too_many()

    def make_room(self, sender: Sender, now: float) -> bool:
        """Bring all bytes within the bound for `sender`, which has sent more.

        Returns False when the sender must give way.
        """
        while self.held > self.most and self.held > sender.held():
            if not self._cut_slowest(sender, now):
                return False
        return True

    def too_many(self) -> Unavailable:
        """Return the refusal of a body that finds no room."""
        return Unavailable(
            f"the box holds its maximum of {self.most} bytes of request bodies; try again", retry_after_s=RETRY_S
        )

    @contextmanager
    def holding(self) -> Iterator[Held]:
        """Count the bytes taken within the context, and free them afterwards."""
        held = Held(self)
        try:
            yield held
        finally:
            self.held -= held.size

    def _cut_slowest(self, but: Sender | None, now: float) -> bool:
        """Cut off the slowest sender of those with a known pace; return False when there is none."""
        self._scanned = now
        paces = [
            (pace, one)
            for one in self.sending
            if one is not but and one.held() and now - (known := one.pace(now))[1] >= YOUNG_S
            for pace in [known[0]]
        ]
        if not paces:
            return False
        _, slowest = min(paces, key=lambda pair: pair[0])
        self.sending.pop(slowest, None)
        slowest.cut(
            Unavailable(
                "the box holds its maximum of bytes of request bodies and dropped this request, the slowest; "
                "send it again"
            )
        )
        return True


class Held:
    """Bytes of one request that is read as ASGI."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size = 0

    def take(self, size: int) -> None:
        """Count `size` more bytes. Raises Unavailable."""
        if self._bodies.held + size > self._bodies.most and self._bodies.held > self.size:
            raise self._bodies.too_many()
        self.size += size
        self._bodies.held += size


def default_bytes() -> int:
    """Return the bound of all bodies together on this machine, in bytes."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(MIN_BYTES, memory // SHARE)
