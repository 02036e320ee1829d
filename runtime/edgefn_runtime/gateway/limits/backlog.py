"""Bytes that were read and are still to be parsed: a little of each connection at a time.

A read may bring a quarter of a mebibyte, and thousands of requests or chunks in it. Parsed in one go they would keep
everybody else waiting; here their connections take turns, for half a millisecond in each turn of the event loop and up
to the first request: serving it costs far more than its parsing, and later.

The waiting bytes are bounded: requests behind one that takes long lie there for as long, and a head until it has ended.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

from edgefn.errors import EdgefnError, Unavailable

TURN_S = 0.0005
SHARE = 4
"""A quarter of what all bodies may hold may wait to be parsed."""
RETRY_S = 2


class Parsing(Protocol):
    """A connection with bytes to parse."""

    loop: asyncio.AbstractEventLoop

    @property
    def cycle(self) -> object:
        """Return the request that was begun last."""

    def parse_next(self) -> bool:
        """Parse a little, and return whether there is more that can be parsed now."""

    def give_way(self, error: EdgefnError) -> None:
        """Drop the unparsed bytes, and end with `error` after the answers to the requests before."""


class Backlog:
    """The connections that wait for their turn, the longest waiting first, and the bytes that they hold.

    All together hold `most_bytes`, or one of them all that it has.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.held = 0
        self._sizes: dict[Parsing, int] = {}
        """The holder whose bytes changed least recently is first: it waits for an answer, nothing of it is parsed."""
        self._waiting: dict[Parsing, None] = {}
        self._scheduled = False

    def hold(self, connection: Parsing, size: int) -> None:
        """Count `size` bytes as all that `connection` holds.

        Over the bound, the connection that has held bytes for longest gives way.
        """
        self.held += size - self._sizes.pop(connection, 0)
        if size:
            self._sizes[connection] = size
        while self.held > self.most_bytes and len(self._sizes) > 1:
            longest = next(iter(self._sizes))
            self.held -= self._sizes.pop(longest)
            longest.give_way(self._too_many())

    def _too_many(self) -> Unavailable:
        return Unavailable(
            f"the box holds its maximum of {self.most_bytes} bytes of request heads and pipelined requests: send each "
            "request after the answer to the one before",
            retry_after_s=RETRY_S,
        )

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
