"""A rate limit: so many units a second, and a burst after a rest. Pure: `now` is in seconds."""

from __future__ import annotations


class Allowance:
    """`rate` units a second; what is not used is saved, up to `burst`. It begins full."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate = rate
        self._burst = burst
        self._left = burst
        self._at: float | None = None

    def left(self, now: float) -> float:
        """Return the units that may be used now."""
        if self._at is not None:
            self._left = min(self._burst, self._left + max(0.0, now - self._at) * self._rate)
        self._at = now
        return self._left

    def use(self, units: float, now: float) -> bool:
        """Use `units`, where any are left; return False, and use none, where none are.

        The last use may go beyond what is left.
        """
        if self.left(now) <= 0:
            return False
        self._left -= units
        return True
