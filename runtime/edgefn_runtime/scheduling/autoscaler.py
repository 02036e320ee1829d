"""How many instances a function has: enough for the requests in it, none longer than `idle` without work.

Up at once, as a start takes milliseconds; down by Knative's stable window: docs/decisions/autoscaling.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

STABLE_WINDOW_S = 60.0
"""Knative's: an instance that was not needed for this long, even at the busiest moment, ends while others stay."""


class Load(NamedTuple):
    """A function at one moment. `idle_since` holds, for each ready instance without work, when its last work ended."""

    waiting: int
    in_flight: int
    ready: int
    starting: int
    idle_since: Sequence[float] = ()


class ScaleLimits(NamedTuple):
    """The limits from the function's decorator."""

    scale: tuple[int, int]
    concurrency: int
    idle_s: float


def wanted(load: Load, limits: ScaleLimits) -> int:
    """Return the instances for `load`: one for each `concurrency` requests inside, within `scale`."""
    low, high = limits.scale
    return min(high, max(low, math.ceil((load.waiting + load.in_flight) / limits.concurrency)))


def to_start(load: Load, limits: ScaleLimits) -> int:
    """Return how many instances to start now; those already starting count."""
    return max(0, wanted(load, limits) - load.ready - load.starting)


def to_stop(load: Load, limits: ScaleLimits, now: float) -> int:
    """Return how many idle instances to end now, the longest idle first; the minimum of `scale` stays.

    `idle_s` is how long the function stays warm; an instance beside another one goes after the stable window at the
    latest.
    """
    if load.waiting:
        return 0
    there = load.ready + load.starting
    expired = sum(1 for since in load.idle_since if now - since >= limits.idle_s)
    surplus = sum(1 for since in load.idle_since if now - since >= min(limits.idle_s, STABLE_WINDOW_S))
    return max(0, min(max(expired, min(surplus, there - 1)), there - limits.scale[0]))


def next_check(load: Load, limits: ScaleLimits) -> float | None:
    """Return when `to_stop` may next be above zero, on the clock of `idle_since`.

    Returns None when no instance may end.
    """
    there = load.ready + load.starting
    if not load.idle_since or there <= limits.scale[0]:
        return None
    return min(load.idle_since) + (limits.idle_s if there == 1 else min(limits.idle_s, STABLE_WINDOW_S))
