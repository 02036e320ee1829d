"""A burst, scaled by the box's rule and by Knative's: simulated. `python -m benchmarks.autoscaling` prints the table.

Both rules are the modules of `edgefn_runtime.scheduling`; time is simulated in steps of a millisecond.
"""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from rich.console import Console
from rich.table import Table

from benchmarks import knative
from edgefn_runtime.scheduling import autoscaler

STEP_S = 0.001
SERVICE_S = 0.020
SCALE = (0, 4)
LIMITS = autoscaler.ScaleLimits(SCALE, 1, 60.0)
TICK_S = 2.0
"""Knative decides so often."""


@dataclass
class Instance:
    """Ready from `ready_at`, busy until `busy_until`; the later of both is when its idle time began."""

    ready_at: float
    busy_until: float = 0.0

    def idle_since(self) -> float:
        return max(self.ready_at, self.busy_until)


@dataclass
class Box:
    """The queue and the instances of one function."""

    start_s: float
    waiting: deque[float] = field(default_factory=deque)
    instances: list[Instance] = field(default_factory=list)
    starts: int = 0

    def free(self, now: float) -> list[Instance]:
        return [one for one in self.instances if one.idle_since() <= now]

    def load(self, now: float) -> autoscaler.Load:
        starting = sum(one.ready_at > now for one in self.instances)
        idle = [one.idle_since() for one in self.free(now)]
        ready = len(self.instances) - starting
        return autoscaler.Load(len(self.waiting), ready - len(idle), ready, starting, idle)

    def scale(self, now: float, change: int) -> None:
        """`change` instances more, or as many of the idle ones less."""
        if change > 0:
            self.instances += [Instance(now + self.start_s) for _ in range(change)]
            self.starts += change
        for one in sorted(self.free(now), key=Instance.idle_since)[: max(0, -change)]:
            self.instances.remove(one)


class Rule(Protocol):
    """How many instances more or less, asked at each step."""

    def change(self, now: float, load: autoscaler.Load) -> int: ...


class AtOnce:
    """The box's: up with the first request that waits, down by the stable window."""

    def change(self, now: float, load: autoscaler.Load) -> int:
        return autoscaler.to_start(load, LIMITS) or -autoscaler.to_stop(load, LIMITS, now)


class Knative:
    """Knative's, asked every two seconds, and at once by a request that finds no instance at all."""

    def __init__(self) -> None:
        self._rule = knative.Autoscaler(knative.Settings(scale=SCALE))
        self._next = TICK_S

    def change(self, now: float, load: autoscaler.Load) -> int:
        self._rule.sample(now, load.waiting + load.in_flight)
        there = load.ready + load.starting
        if load.waiting and not there:
            return 1
        if now < self._next:
            return 0
        self._next = now + TICK_S
        return self._rule.desired(now, there) - there


@dataclass(frozen=True)
class Outcome:
    """Latencies in seconds; `held_s` is instance-seconds, busy or not."""

    median_s: float
    p99_s: float
    most_s: float
    held_s: float
    starts: int


def run(rule: Rule, start_s: float, arrivals: list[float]) -> Outcome:
    """All `arrivals` served by instances that take `start_s` to start; one is there already."""
    box, coming, latencies, held_s, now = Box(start_s), deque(arrivals), list[float](), 0.0, 0.0
    box.instances.append(Instance(now))
    while coming or box.instances:
        while coming and coming[0] <= now:
            box.waiting.append(coming.popleft())
        for one in box.free(now)[: len(box.waiting)]:
            one.busy_until = now + SERVICE_S
            latencies.append(one.busy_until - box.waiting.popleft())
        box.scale(now, rule.change(now, box.load(now)))
        held_s += len(box.instances) * STEP_S
        now += STEP_S
    centiles = statistics.quantiles(latencies, n=100)
    return Outcome(centiles[49], centiles[98], max(latencies), held_s, box.starts)


def burst(seed: int = 1) -> list[float]:
    """5 requests a second; from second 10 to 30, 150 of them, which is what three instances can do; 90 seconds."""
    draw, times = Random(seed), list[float]()

    def arrivals(begin: float, end: float, rate: float) -> Iterator[float]:
        now = begin + draw.expovariate(rate)
        while now < end:
            yield now
            now += draw.expovariate(rate)

    for begin, end, rate in ((0.0, 10.0, 5.0), (10.0, 30.0, 150.0), (30.0, 90.0, 5.0)):
        times += arrivals(begin, end, rate)
    return times


def main() -> None:
    """The burst with starts of 5 ms, a fork here, and of 2 s, a container."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("start", "rule", "p50", "p99", "max", "instance-s", "starts"):
        drawn.add_column(heading, no_wrap=True)
    rules: dict[str, Callable[[], Rule]] = {"at once": AtOnce, "Knative": Knative}
    for start_s in (0.005, 2.0):
        for name, rule in rules.items():
            got = run(rule(), start_s, burst())
            times = (f"{seconds * 1e3:,.0f} ms" for seconds in (got.median_s, got.p99_s, got.most_s))
            drawn.add_row(f"{start_s:g} s", name, *times, f"{got.held_s:,.0f}", str(got.starts))
    Console().print(drawn)


if __name__ == "__main__":
    main()
