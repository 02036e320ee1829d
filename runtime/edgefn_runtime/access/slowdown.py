"""Wrong tokens: each one costs its sender more time than the one before. Pure; given the time.

A right token is never slowed down, from whatever address: a guesser beside a camera must not lock the camera out.
"""

from __future__ import annotations

from collections import OrderedDict

FIRST_S, LONGEST_S = 0.05, 8.0
FORGOTTEN_AFTER_S = 300.0
MAX_ADDRESSES = 4096
MAX_WAITING = 64
"""Requests that wait for their refusal, all together: each holds a connection. More are refused without a wait, and
their connections end."""


class Slowdown:
    """The recent wrong tokens of each address; addresses that guessed longest ago are forgotten first."""

    def __init__(self) -> None:
        self.waiting = 0
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def failed(self, address: str, now: float) -> float:
        """Count a wrong token from `address`; return the seconds that its refusal waits."""
        count, last = self._failures.pop(address, (0, now))
        count = count + 1 if now - last < FORGOTTEN_AFTER_S else 1
        self._failures[address] = (count, now)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
        return min(LONGEST_S, FIRST_S * 2.0 ** min(count - 1, 10))

    @property
    def is_full(self) -> bool:
        """Tell whether no further request may wait."""
        return self.waiting >= MAX_WAITING
