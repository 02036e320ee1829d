"""When a call that comes now will have been answered, by what was learnt, and whether that is too late.

A refusal must be right and an admission need not be: what was let in and does not get its turn in time is dropped
before it costs anything. So the forecast is the best that can happen: calls ahead take the median time, every place is
free at the earliest moment, the call itself takes the least that one took lately, and what is not known takes no time.
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
"""A forecast may be wrong by so much of the time left."""
PROBE_S = 5.0
"""After refusals for so long, with no answer meanwhile, a call is let in to see whether the forecast still holds."""

_MIN_S = 1e-9


class Recent:
    """The last durations of one kind, in seconds; they tell nothing before there are `enough`."""

    def __init__(self, enough: int = ENOUGH) -> None:
        self._enough = enough
        self._last: deque[float] = deque(maxlen=KEPT)
        self.add = self._last.append

    @property
    def known(self) -> bool:
        """Whether they tell something."""
        return len(self._last) >= self._enough

    @property
    def median_s(self) -> float:
        """Half of them took longer; 0 when nothing is known."""
        return sorted(self._last)[len(self._last) // 2] if self.known else 0.0

    @property
    def least_s(self) -> float:
        """None of them took less; 0 when nothing is known."""
        return min(self._last) if self.known else 0.0


class StartTime:
    """How long the last starts of an instance took, from a parked template and without one."""

    def __init__(self) -> None:
        self._parked, self._anew = Recent(ENOUGH_STARTS), Recent(ENOUGH_STARTS)

    def add(self, seconds: float, *, parked: bool) -> None:
        """A start took `seconds`, all of it."""
        (self._parked if parked else self._anew).add(seconds)

    def expected_s(self, *, parked: bool) -> float:
        """The least that such a start took lately; 0 when nothing is known."""
        return (self._parked if parked else self._anew).least_s


class FreePlaces(NamedTuple):
    """`number` calls can be worked on at once, the first of them `free_s` from now."""

    number: int
    free_s: float = 0.0


class QueueAhead(NamedTuple):
    """What a call finds before it: `ahead` calls that go first, the places there are, and those on their way."""

    ahead: int = 0
    ready: FreePlaces = FreePlaces(1)
    coming: FreePlaces = FreePlaces(0)

    def begin_s(self, service_s: float) -> float:
        """The earliest that the call can begin, in seconds from now, when each one ahead takes `service_s`."""
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
    """Learns from a function's calls how long they take, and refuses by it those that come too late.

    `taught_at` is when a call was answered last, on the clock of `now`.
    """

    def __init__(self) -> None:
        self.service = Recent()
        self.taught_at = -math.inf
        self._refusing_since = -math.inf

    def spares(self, waiting: int, left_s: float) -> bool:
        """Whether a line of `waiting` calls before a ready place is short enough in any case; `refuses` in brief.

        Even one place works off the call in it, those that wait and this one within `left_s`.
        """
        return (waiting + 2) * self.service.median_s <= left_s

    def finish_s(self, line: QueueAhead) -> float:
        """The earliest that the call will have been answered, in seconds from now."""
        return line.begin_s(self.service.median_s) + self.service.least_s

    def refuses(self, line: QueueAhead, left_s: float, now: float) -> bool:
        """Whether the call cannot be answered within `left_s`. False now and then, as a probe of the forecast."""
        late = self.service.known and self.finish_s(line) > left_s * (1 + MARGIN)
        return late and not self._probes(now)

    def passes_over(self, left_s: float, now: float, *, others: bool) -> bool:
        """Whether a call whose turn it is cannot be answered within `left_s`, by what was learnt lately.

        Where `others` wait, one of them has the place instead, so the median and the margin count; else the least does.
        """
        needed_s = self.service.median_s * (1 + MARGIN) if others else self.service.least_s
        return self.service.known and left_s < needed_s and now - self.taught_at < PROBE_S

    def _probes(self, now: float) -> bool:
        """Whether calls have been refused for PROBE_S and none was answered: nothing else would teach any more."""
        if self.taught_at >= self._refusing_since:
            self._refusing_since = now
        due = now - self._refusing_since >= PROBE_S
        if due:
            self._refusing_since = now
        return due
