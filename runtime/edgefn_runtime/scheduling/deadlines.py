"""A forecast of when a call that comes now will have been answered, and whether that is too late.

A refusal must be right and an admission need not be: a call that was let in and does not get its turn in time is
dropped before it costs anything. So the forecast is the best that can happen: calls ahead take the median time, every
place is free at the earliest moment, the call itself takes the least that one took lately, and what is not known takes
no time.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple

KEPT = 9
"""Durations that are remembered. The least of them falls with the first call that is faster."""
ENOUGH = 5
"""Calls before their durations are believed: the first ones run on cold caches."""
ENOUGH_STARTS = 2
MARGIN = 0.25
"""The error of a forecast that is allowed, as a fraction of the time left."""
PROBE_S = 5.0
"""After refusals for so long, with no answer meanwhile, a call is let in to see whether the forecast still holds."""

_MIN_S = 1e-9


class Recent:
    """The last durations of one kind, in seconds; they count as unknown before there are `enough`."""

    def __init__(self, enough: int = ENOUGH) -> None:
        self._enough = enough
        self._last: deque[float] = deque(maxlen=KEPT)
        self.add = self._last.append

    @property
    def known(self) -> bool:
        """Tell whether there are enough durations to use."""
        return len(self._last) >= self._enough

    @property
    def median_s(self) -> float:
        """Return the median of the durations; 0 when nothing is known."""
        return sorted(self._last)[len(self._last) // 2] if self.known else 0.0

    @property
    def least_s(self) -> float:
        """Return the least of the durations; 0 when nothing is known."""
        return min(self._last) if self.known else 0.0


class StartTime:
    """The durations of the last starts of an instance, from a parked template and without one."""

    def __init__(self) -> None:
        self._parked, self._anew = Recent(ENOUGH_STARTS), Recent(ENOUGH_STARTS)

    def add(self, seconds: float, *, parked: bool) -> None:
        """Record a start that took `seconds` in all."""
        (self._parked if parked else self._anew).add(seconds)

    def expected_s(self, *, parked: bool) -> float:
        """Return the least that such a start took lately; 0 when nothing is known."""
        return (self._parked if parked else self._anew).least_s


class FreePlaces(NamedTuple):
    """`number` calls can be worked on at once, the first of them `free_s` from now."""

    number: int
    free_s: float = 0.0


class QueueAhead(NamedTuple):
    """The queue that a call meets: `ahead` calls that go first, the places that are ready, and those to come."""

    ahead: int = 0
    ready: FreePlaces = FreePlaces(1)
    coming: FreePlaces = FreePlaces(0)

    def begin_s(self, service_s: float) -> float:
        """Return the least seconds from now until the call can begin.

        Each call ahead takes `service_s`.
        """
        first, later = sorted((self.ready, self.coming), key=lambda places: (not places.number, places.free_s))
        if not first.number:
            return 0.0
        if later.number:
            rounds = math.ceil((later.free_s - first.free_s) / max(service_s, _MIN_S))
            begun = first.number * rounds  # before the later places are there
            if self.ahead >= begun:
                return later.free_s + service_s * ((self.ahead - begun) // (first.number + later.number))
        return first.free_s + service_s * (self.ahead // first.number)


class Forecast:
    """Learns from a function's calls how long they take, and refuses those that come too late.

    `taught_at` is when a call was answered last, on the clock of `now`.
    """

    def __init__(self) -> None:
        self.service = Recent()
        self.taught_at = -math.inf
        self._refusing_since = -math.inf

    def spares(self, waiting: int, left_s: float) -> bool:
        """Tell whether `waiting` calls before a ready place are few enough in any case.

        A quick form of `refuses`. Even one place works off the call in it, those that wait and this one within
        `left_s`.
        """
        return (waiting + 2) * self.service.median_s <= left_s

    def finish_s(self, line: QueueAhead) -> float:
        """Return the least seconds from now until the call will have been answered."""
        return line.begin_s(self.service.median_s) + self.service.least_s

    def refuses(self, line: QueueAhead, left_s: float, now: float) -> bool:
        """Tell whether the call cannot be answered within `left_s`.

        Returns False now and then all the same, as a probe of the forecast.
        """
        late = self.service.known and self.finish_s(line) > left_s * (1 + MARGIN)
        return late and not self._probes(now)

    def passes_over(self, left_s: float, now: float, *, others: bool) -> bool:
        """Tell whether the next call cannot be answered within `left_s`, by what was learnt lately.

        Where `others` wait, one of them gets the place instead, so the median and the margin count; else the least
        does.
        """
        needed_s = self.service.median_s * (1 + MARGIN) if others else self.service.least_s
        return self.service.known and left_s < needed_s and now - self.taught_at < PROBE_S

    def _probes(self, now: float) -> bool:
        """Tell whether a call must be let in as a probe.

        That is so when calls have been refused for PROBE_S and none was answered: nothing else would teach any more.
        """
        if self.taught_at >= self._refusing_since:
            self._refusing_since = now
        due = now - self._refusing_since >= PROBE_S
        if due:
            self._refusing_since = now
        return due
