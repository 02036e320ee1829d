"""Bytes that were read and are still to be parsed: a little of each connection at a time.

A read may bring a quarter of a mebibyte, and thousands of requests or chunks in it. Parsed in one go they would keep
everybody else waiting; here their connections take turns, for half a millisecond in each turn of the event loop and up
to the first request: what it asks for costs far more than its parsing, and later.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

TURN_S = 0.0005


class Parsing(Protocol):
    """A connection with bytes to parse."""

    loop: asyncio.AbstractEventLoop

    @property
    def cycle(self) -> object:
        """Return the request that was begun last."""

    def parse_next(self) -> bool:
        """Parse a little, and return whether there is more that can be parsed now."""


class Backlog:
    """The connections that wait for their turn, first who has waited longest."""

    def __init__(self) -> None:
        self._waiting: dict[Parsing, None] = {}
        self._scheduled = False

    def add(self, connection: Parsing) -> None:
        """Parse more of `connection` in a later turn of the event loop."""
        self._waiting[connection] = None
        self._schedule(connection.loop)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._scheduled:
            self._scheduled = True
            loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        until, begun = time.monotonic() + TURN_S, False
        try:
            while self._waiting and not begun and time.monotonic() < until:
                connection = next(iter(self._waiting))
                del self._waiting[connection]
                before = connection.cycle
                if connection.parse_next():
                    self._waiting[connection] = None
                begun = connection.cycle is not before
        finally:  # whatever becomes of one, the others have their turns
            if self._waiting:
                self._schedule(next(iter(self._waiting)).loop)
