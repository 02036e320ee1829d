"""How often a token may be used: a bucket of one second's requests that fills at the rate. Pure; given the time."""

from __future__ import annotations

import math


class Bucket:
    """At most `rate` requests a second on average, and one second's worth (or one request) at once."""

    __slots__ = ("_at", "_left", "_most", "_rate")

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._most = max(1.0, rate)
        self._left = self._most
        self._at = -math.inf

    def take(self, now: float) -> bool:
        """Take one request out; False, and nothing taken, where there is none."""
        if now > self._at:
            self._left = min(self._most, self._left + (now - self._at) * self._rate)
            self._at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def wait_s(self) -> int:
        """Return the whole seconds until there is one request again."""
        return max(1, math.ceil((1.0 - self._left) / self._rate))
