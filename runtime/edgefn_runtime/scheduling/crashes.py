"""Whether a function whose instances die while they serve is left alone for a while: one circuit breaker each.

Only what comes in a row counts. An answer in between, from any instance, ends the row: a request that kills its
instance among others that are answered never makes the function fail, however often it comes.
"""

from __future__ import annotations

import math

from edgefn_runtime.scheduling.backoff import pause_s

LIMIT = 5
"""Crashes in a row that make a function fail. Before, each costs one request and one start of some ten milliseconds."""


class Crashes:
    """The crashes in a row of one function's instances, and who is let in after them. Times are on one clock.

    From the LIMIT-th on the function is left alone: for 1 s, then 2, 4, … at most 60 s. After each pause one request,
    the probe, is let in; its crash begins the next pause, an answer ends it all.
    """

    def __init__(self) -> None:
        self.in_a_row = 0
        self.how = ""
        self._pauses = 0
        self._until = 0.0
        self._probing = False

    @property
    def failing(self) -> bool:
        """Whether requests are refused but for one probe after each pause."""
        return self.in_a_row >= LIMIT

    def crashed(self, how: str, now: float) -> None:
        """An instance ended by itself, as `how` says, while it served. Several in one pause do not lengthen it."""
        self.in_a_row += 1
        self.how = how
        if self.failing and (self._pauses == 0 or now >= self._until):
            self._pauses += 1
            self._until = now + pause_s(self._pauses)
            self._probing = False

    def answered(self) -> None:
        """A handler came to its end and its instance lives: what was before does not count."""
        self.in_a_row = self._pauses = 0
        self._probing = False

    def admits(self, now: float) -> bool:
        """Whether a request may come in now."""
        return not self.failing or (now >= self._until and not self._probing)

    def probe(self) -> None:
        """The request that `admits` let in is on its way; no other is let in until it has come to an end."""
        self._probing = True

    def probe_ended(self) -> None:
        """The probe told nothing, as its client left or its instance did not start: another may be let in."""
        self._probing = False

    def retry_after_s(self, now: float) -> int:
        """Whole seconds, at least 1, until a request may be let in."""
        return max(1, math.ceil(self._until - now))
