"""Knative's autoscaler, pure: what the box's own rule, `autoscaler`, is measured against and has its window from.

After knative/serving `pkg/autoscaler/scaling/autoscaler.go`: concurrency averaged over a stable and a panic window, a
target utilisation, rates that bound each step, and a delay before scaling down. Time comes in with each call.
"""

from __future__ import annotations

import math
from collections import deque
from typing import NamedTuple


class Settings(NamedTuple):
    """Knative's defaults. `scale` is (min, max) instances; `cores` bounds the most too, 0 for no bound."""

    scale: tuple[int, int] = (0, 4)
    cores: int = 0
    concurrency: int = 1
    utilisation: float = 0.7
    stable_s: int = 60
    panic_s: int = 6
    panic_threshold: float = 2.0
    most_up: float = 1000.0
    most_down: float = 2.0
    down_delay_s: float = 0.0

    @property
    def most(self) -> int:
        """Instances that may be there: more than one a core would only take time from each other."""
        fewest, most = self.scale
        return max(fewest, min(most, self.cores)) if self.cores else most


class Concurrency:
    """Requests inside, averaged over the last seconds. Holds one number for each second of the longest window."""

    def __init__(self, longest_s: int) -> None:
        self._longest_s = longest_s
        self._areas: deque[tuple[int, float]] = deque()
        self._inside = 0.0
        self._began: float | None = None
        self._until = 0.0

    def sample(self, now: float, inside: float) -> None:
        """From `now` on there are `inside` requests."""
        self._advance(now)
        self._inside = inside

    def average(self, now: float, window_s: int) -> float:
        """Over the last `window_s` seconds, or since the first sample; 0 before it."""
        self._advance(now)
        if self._began is None:
            return 0.0
        begins = math.floor(now) - window_s + 1
        seconds = now - max(self._began, begins)
        area = sum(area for second, area in self._areas if second >= begins)
        return area / seconds if seconds > 0 else self._inside

    def _advance(self, now: float) -> None:
        if self._began is None:
            self._began = self._until = now
        self._until = max(self._until, min(now, math.floor(now) - self._longest_s + 1))
        while self._until < now:
            second = math.floor(self._until)
            end = min(now, second + 1.0)
            self._add(second, self._inside * (end - self._until))
            self._until = end
        while self._areas and self._areas[0][0] <= math.floor(now) - self._longest_s:
            self._areas.popleft()

    def _add(self, second: int, area: float) -> None:
        if self._areas and self._areas[-1][0] == second:
            area += self._areas.pop()[1]
        self._areas.append((second, area))


class Autoscaler:
    """Takes samples of the concurrency, gives the desired count of instances."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._concurrency = Concurrency(settings.stable_s)
        self._panicked_at: float | None = None
        self._most_in_panic = 0
        self._wanted: deque[tuple[int, int]] = deque()

    @property
    def panicking(self) -> bool:
        return self._panicked_at is not None

    def sample(self, now: float, inside: float) -> None:
        """From `now` on there are `inside` requests, waiting or served."""
        self._concurrency.sample(now, inside)

    def desired(self, now: float, ready: int) -> int:
        """Instances there should be, with `ready` of them there, within the scale and the cores."""
        stable = self._for_window(now, self._settings.stable_s, ready)
        panic = self._for_window(now, self._settings.panic_s, ready)
        self._follow_panic(now, ready)
        count = stable
        if self.panicking:  # never down while in panic
            self._most_in_panic = count = max(stable, panic, self._most_in_panic)
        count = min(max(count, self._settings.scale[0]), self._settings.most)
        return self._delayed(now, count)

    def _needed(self, now: float, window_s: int) -> int:
        target = self._settings.concurrency * self._settings.utilisation
        return math.ceil(self._concurrency.average(now, window_s) / target)

    def _for_window(self, now: float, window_s: int, ready: int) -> int:
        there = max(1, ready)
        least, most = math.floor(there / self._settings.most_down), math.ceil(there * self._settings.most_up)
        return min(max(self._needed(now, window_s), least), most)

    def _follow_panic(self, now: float, ready: int) -> None:
        """Panic begins with twice as many needed as there are, and ends a stable window after the last such moment."""
        if self._needed(now, self._settings.panic_s) / max(1, ready) >= self._settings.panic_threshold:
            self._panicked_at = now
        elif self._panicked_at is not None and now - self._panicked_at > self._settings.stable_s:
            self._panicked_at, self._most_in_panic = None, 0

    def _delayed(self, now: float, count: int) -> int:
        """The largest count of the delay; one number a second is held at most, and only falling ones."""
        if not self._settings.down_delay_s:
            return count
        while self._wanted and self._wanted[-1][1] <= count:
            self._wanted.pop()
        if not self._wanted or self._wanted[-1][0] < math.floor(now):
            self._wanted.append((math.floor(now), count))
        while self._wanted[0][0] < math.floor(now) - self._settings.down_delay_s:
            self._wanted.popleft()
        return self._wanted[0][1]
