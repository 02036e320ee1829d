"""How long a function's instances stay without work, and when one is started ahead of the next request: `idle="auto"`.

After Shahrad et al., "Serverless in the Wild: Characterizing and Optimizing the Serverless Workload at a Large Cloud
Provider", USENIX ATC 2020, section 4.2: a histogram of idle times for each function; the head of it says when to
pre-warm, the tail how long to keep; with too few samples, or most of them beyond the histogram, a plain window holds.
docs/keepalive.md says what differs, and why the paper's third part, ARIMA, is left out.
"""

from __future__ import annotations

import math
from itertools import accumulate
from typing import NamedTuple

import msgspec

MIN_SHARE = 0.1
"""Of `most_s`: so long an instance stays in any case (60 s of 10 min). Shorter idle times are always warm."""
RANGE = 24.0
"""Times `most_s`: longer idle times are beyond the histogram (4 h of 10 min, the paper's range)."""
BINS = 240
"""As many as the paper's, but geometric and not a minute each: 2.3 % of the idle time, be it minutes or hours."""
HEAD, TAIL = 0.05, 0.95
"""The paper's head; its tail is 0.99, which the hundred samples that the decay remembers cannot show."""
MARGIN = 0.05
"""How much earlier to pre-warm, how much longer to keep. The paper's 10 % of an hour would be 12 minutes of memory."""
ENOUGH = 5
"""Samples before the histogram is believed."""
GROWTH = 2.0 ** (1 / 64)
"""The weight of a sample relative to the one before: one 64 samples old counts half, and about 90 count in all."""

_STEP = (RANGE / MIN_SHARE) ** (1 / BINS)
_HEAVY = 2.0**40


class Windows(NamedTuple):
    """After the last request instances stay for `linger_s`; then they end.

    With `prewarm_s` above 0, one is started again `prewarm_s` after the last request and stays for `keep_s`.
    """

    linger_s: float
    prewarm_s: float = 0.0
    keep_s: float = 0.0

    def catches(self, idle_s: float) -> bool:
        """Tell whether a request after `idle_s` without work finds an instance."""
        return idle_s <= self.linger_s or 0 < self.prewarm_s <= idle_s <= self.prewarm_s + self.keep_s

    def held_s(self, idle_s: float) -> float:
        """Return for how many seconds of an idle time of `idle_s` an instance is held."""
        again = min(max(idle_s - self.prewarm_s, 0.0), self.keep_s) if self.prewarm_s else 0.0
        return min(idle_s, self.linger_s) + again


class KeepAlive(msgspec.Struct, forbid_unknown_fields=True):
    """The idle times of one function, decayed, in a fixed number of bins; it is its own record on disk.

    Two promises hold for any idle times whatever, and not only for those like the ones before: no more cold starts
    than with a fixed idle of `most_s` / 10, and no more memory-seconds than with a fixed idle of `most_s`.
    """

    most_s: float
    bins: list[float] = msgspec.field(default_factory=lambda: [0.0] * BINS)
    beyond: float = 0.0
    weight: float = 1.0
    samples: int = 0

    def __post_init__(self) -> None:
        if not self.most_s > 0 or len(self.bins) != BINS:
            raise ValueError(
                f"most_s is {self.most_s} and there are {len(self.bins)} bins: most_s must be above 0, and {BINS} "
                "bins are needed"
            )

    @property
    def least_s(self) -> float:
        """Return the seconds for which an instance stays, whatever was learnt."""
        return self.most_s * MIN_SHARE

    def record(self, idle_s: float) -> bool:
        """Record that the function got a request after `idle_s` without one.

        Returns False for a time in which it is warm in any case: that teaches nothing.
        """
        if idle_s <= self.least_s:
            return False
        if idle_s < self.most_s * RANGE:
            self.bins[min(int(math.log(idle_s / self.least_s, _STEP)), BINS - 1)] += self.weight
        else:
            self.beyond += self.weight
        self.samples += 1
        self.weight *= GROWTH
        if self.weight > _HEAVY:
            self._rescale()
        return True

    def decide(self) -> Windows:
        """Return the windows that fit the idle times so far."""
        if self.samples < ENOUGH:
            return Windows(self.most_s)
        sums = list(accumulate(self.bins))
        total = sums[-1] + self.beyond
        return self._prewarming(sums, total) or self._keeping(sums, total)

    def _prewarming(self, sums: list[float], total: float) -> Windows | None:
        """Return windows that end the instance and start it again before the next request.

        That needs idle times that are alike; None where it does not pay. It pays when the instance is gone for at least
        as long as it stays, and as many requests as with the longest window find it, but for the share before the head.
        """
        prewarm_s = self._edge(self._rank(sums, HEAD * total)) * (1 - MARGIN)
        until_s = self._edge(self._rank(sums, TAIL * total) + 1) * (1 + MARGIN)
        keep_s = min(until_s - prewarm_s, self.most_s - self.least_s)
        if prewarm_s < max(2 * self.least_s, keep_s):
            return None
        caught = self._within(sums, prewarm_s + keep_s) - self._within(sums, prewarm_s)
        if caught < max(0.5 * total, self._within(sums, self.most_s) - HEAD * total):
            return None
        return Windows(self.least_s, prewarm_s, keep_s)

    def _keeping(self, sums: list[float], total: float) -> Windows:
        """Return windows that keep the instance until the tail.

        It stays for the least where even the longest window would miss most requests.
        """
        if self._within(sums, self.most_s) < 0.5 * total:
            return Windows(self.least_s)
        return Windows(min(self._edge(self._rank(sums, TAIL * total) + 1) * (1 + MARGIN), self.most_s))

    def _rank(self, sums: list[float], weight: float) -> int:
        """Return the first bin up to which `weight` lies; BINS when it is beyond."""
        return next((number for number, below in enumerate(sums) if below >= weight), BINS)

    def _within(self, sums: list[float], idle_s: float) -> float:
        """Return the weight of the bins that end at or before `idle_s`."""
        full = math.floor(math.log(max(idle_s / self.least_s, 1.0), _STEP) + 1e-9)
        return sums[min(full, BINS) - 1] if full else 0.0

    def _edge(self, number: int) -> float:
        """Return where bin `number` begins, in seconds."""
        return self.least_s * math.pow(_STEP, number)

    def _rescale(self) -> None:
        self.bins = [count / self.weight for count in self.bins]
        self.beyond /= self.weight
        self.weight = 1.0
