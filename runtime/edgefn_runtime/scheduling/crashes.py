"""Whether a function whose instances die while they serve is left alone for a while: one circuit breaker each.

Only crashes in a row count. An answer in between, from any instance, ends the row: a request that kills its instance
among others that are answered never makes the function fail, however often it comes. Nor can such a request keep a
function failing: requests that were lost in a crash are suspects, and any other one is the probe before them.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from edgefn_runtime.scheduling.backoff import pause_s

LIMIT = 5
"""Crashes in a row that make a function fail. Before, each costs one request and one start of some ten milliseconds."""

SUSPECTS = 64
"""Lost requests that are remembered by their marks."""


class Crashes:
    """The crashes in a row of one function's instances, and which requests are let in after them.

    Times are on one clock. From the LIMIT-th on the function is left alone: for 1 s, then 2, 4, … at most 60 s. After
    each pause one request, the probe, is let in; its crash begins the next pause, an answer ends it all. A suspect is
    let in only when no other has come for as long again. Requests are distinguished by a mark of their contents.
    """

    def __init__(self) -> None:
        self.in_a_row = 0
        self.how = ""
        self._pauses = 0
        self._until = 0.0
        self._probing = False
        self._pause_s = 0.0
        self._suspects: deque[bytes] = deque(maxlen=SUSPECTS)

    @property
    def failing(self) -> bool:
        """Tell whether requests are refused but for one probe after each pause."""
        return self.in_a_row >= LIMIT

    def crashed(self, how: str, now: float, suspects: Iterable[bytes] = ()) -> None:
        """Record that an instance ended by itself while it served `suspects`; `how` is the way it ended.

        Several in one pause do not lengthen it.
        """
        self._suspects.extend(suspects)
        self.in_a_row += 1
        self.how = how
        if self.failing and (self._pauses == 0 or now >= self._until):
            self._pauses += 1
            self._pause_s = pause_s(self._pauses)
            self._until = now + self._pause_s
            self._probing = False

    def answered(self) -> None:
        """Forget earlier crashes, because a handler came to its end and its instance lives."""
        self.in_a_row = self._pauses = 0
        self._probing = False
        self._suspects.clear()

    def admits(self, now: float, mark: bytes = b"") -> bool:
        """Tell whether a request of that mark may come in now."""
        return not self.failing or (now >= self._opens(mark) and not self._probing)

    def _opens(self, mark: bytes) -> float:
        return self._until + (self._pause_s if mark in self._suspects else 0.0)

    def probe(self) -> None:
        """Let no other request in until the one that `admits` let in has ended."""
        self._probing = True

    def probe_ended(self) -> None:
        """Let another request in: the probe taught nothing, as its client left or its instance did not start."""
        self._probing = False

    def retry_after_s(self, now: float, mark: bytes = b"") -> int:
        """Return the whole seconds, at least 1, until a request of that mark may be let in."""
        return max(1, math.ceil(self._opens(mark) - now))
