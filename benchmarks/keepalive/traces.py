"""Traces as idle times: for each function, the seconds between the end of one request and the next. Seeded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random

MINUTE, HOUR = 60.0, 3600.0

Gap = Callable[[], float]
Trace = list[list[float]]
"""Idle times by function."""


def poisson(seed: int, duration_s: float) -> Trace:
    """People at random: three functions with a request every 40, 60 and 90 s on average."""
    draw = Random(seed)
    return [_until(duration_s, _exponential(draw, mean)) for mean in (40.0, MINUTE, 90.0)]


def bursty(seed: int, duration_s: float) -> Trace:
    """Shifts: bursts of 30 requests on average, 2 s apart on average, and around 4 minutes between bursts."""
    draw = Random(seed)

    def gap() -> float:
        if draw.random() < 1 / 30:
            return draw.lognormvariate(math.log(4 * MINUTE), 0.4)
        return draw.expovariate(1 / 2.0)

    return [_until(duration_s, gap) for _ in range(3)]


def periodic(seed: int, duration_s: float) -> Trace:
    """Clocks and cameras: every 5, 15 and 60 minutes, each early or late by 2 % or so."""
    draw = Random(seed)
    return [_until(duration_s, _jittered(draw, period)) for period in (5 * MINUTE, 15 * MINUTE, HOUR)]


def azure(seed: int, duration_s: float, functions: int = 100) -> Trace:
    """The shape of the Azure Functions traces in Shahrad et al., USENIX ATC 2020; docs/keepalive.md says what of it.

    Mean gaps: 45 % of the applications are called at most once an hour, 81 % at most once a minute. Regularity: 13 %
    have only timers; 40 % have gaps with a coefficient of variation above 1 (here 2 to 5); the rest are Poisson here.
    """
    draw = Random(seed)
    return [_until(duration_s, _regularity(draw, _mean_gap(draw)), start=draw.random()) for _ in range(functions)]


def _mean_gap(draw: Random) -> float:
    share = draw.random()
    if share < 0.45:
        return _between(draw, HOUR, 24 * HOUR)
    if share < 0.81:
        return _between(draw, MINUTE, HOUR)
    return _between(draw, 5.0, MINUTE)  # more often is never idle for long: it is warm whatever the policy


def _regularity(draw: Random, mean_s: float) -> Gap:
    share = draw.random()
    if share < 0.13:
        return _jittered(draw, mean_s)
    if share < 0.6:
        return _exponential(draw, mean_s)
    spread = math.log(1 + draw.uniform(2.0, 5.0) ** 2)  # a log-normal's variance for that coefficient of variation
    return lambda: draw.lognormvariate(math.log(mean_s) - spread / 2, math.sqrt(spread))


def _exponential(draw: Random, mean_s: float) -> Gap:
    return lambda: draw.expovariate(1 / mean_s)


def _jittered(draw: Random, period_s: float) -> Gap:
    return lambda: max(0.0, draw.gauss(period_s, 0.02 * period_s))


def _between(draw: Random, least: float, most: float) -> float:
    return math.exp(draw.uniform(math.log(least), math.log(most)))


def _until(duration_s: float, gap: Gap, start: float = 0.0) -> list[float]:
    """Gaps until `duration_s` is over; the last one is cut where the trace ends."""

    def gaps() -> Iterator[float]:
        now = start
        while now < duration_s:
            idle_s = min(gap(), duration_s - now)
            now += max(idle_s, 1e-3)
            yield idle_s

    return list(gaps())


TRACES: dict[str, Callable[[int, float], Trace]] = {
    "poisson": poisson,
    "bursty": bursty,
    "periodic": periodic,
    "azure": azure,
}
