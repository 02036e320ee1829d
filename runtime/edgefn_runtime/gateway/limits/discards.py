"""Bytes that clients send after their last answer: read and thrown away, up to a bound for all together.

A client that sends more than it should must get that answer, and most read it only when they have sent everything. But
a crowd of such clients sends as fast as a box reads, and keeps it from its work.
"""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Protocol

MAX_BYTES = 1 << 21
PAUSE_S = 0.1
"""All together send 20 MiB a second at most."""
READ_BYTES = 1 << 18
"""What one read brings."""


class DiscardedSender(Protocol):
    """A client that still sends."""

    loop: asyncio.AbstractEventLoop

    def stop_reading(self) -> None:
        """Read nothing until `go_on`."""

    def go_on(self) -> None:
        """Read again, unless the connection has ended."""


class Discards:
    """Counts the discarded bytes; the clients that are over the bound wait for their turn."""

    def __init__(self) -> None:
        self._left = MAX_BYTES
        self._waiting: dict[DiscardedSender, None] = {}
        """The one that has waited longest is first."""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, sender: DiscardedSender, size: int) -> None:
        """Count `size` bytes of `sender`; nothing more is read of it for a while where it is too much."""
        self._left -= size
        self._renew_later(sender)
        if self._left < 0:
            sender.stop_reading()
            self._waiting[sender] = None

    def forget(self, sender: DiscardedSender) -> None:
        """Keep no turn for a client that has gone."""
        self._waiting.pop(sender, None)

    def _renew_later(self, sender: DiscardedSender) -> None:
        if self._timer is None:
            self._timer = sender.loop.call_later(PAUSE_S, self._renew)

    def _renew(self) -> None:
        self._left, self._timer = MAX_BYTES, None
        for sender in list(islice(self._waiting, MAX_BYTES // READ_BYTES)):
            del self._waiting[sender]
            sender.go_on()
        for sender in islice(self._waiting, 1):
            self._renew_later(sender)
