"""How the processors are shared out: threads of an instance, and how many instances still gain something.

More instances than the cores can run gain nothing; but a handler that waits, for a disk or another service, leaves its
core to others. So what counts is how much of a core a busy instance wants, and that is measured.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from edgefn.spec import Optimize

KNOWN_S = 0.2
"""Seconds of work after which the measured CPU use is trusted: some first calls are only start-up."""
HALF_LIFE_S = 5.0
"""Seconds of work after which a measurement counts half: a handler may change its behaviour."""
SLACK = 0.25
"""An instance for which less than a quarter of its work's cores are left is not worth its memory."""
MIN_USE = 1e-4


class CpuShare(NamedTuple):
    """The processors that this box may use.

    `cores` are by affinity and quota, so not always whole; `physical` cores lie below them.
    """

    cores: float
    physical: int


def threads_of(asked: int, optimize: Optimize, machine: CpuShare) -> int:
    """Return the threads that an instance's engine runs on.

    They are `asked`, or where that is 0, as many as `optimize` needs. One is best for the work done in all: an
    operator's threads wait for each other. All cores are best for one request.
    """
    if asked:
        return asked
    return 1 if optimize == "throughput" else max(1, min(machine.physical, math.floor(machine.cores)))


class Use:
    """The mean number of cores that a busy instance wants: those it had, and those it waited for in the kernel."""

    def __init__(self) -> None:
        self._cores = self._weight = self._known_s = 0.0

    def add(self, wanted_s: float, busy_s: float) -> None:
        """Record that an instance had work for `busy_s` and in that time wanted `wanted_s` core-seconds."""
        if busy_s <= 0 or wanted_s < 0:
            return
        kept = 0.5 ** (busy_s / HALF_LIFE_S)
        self._cores = self._cores * kept + wanted_s / busy_s * (1 - kept)
        self._weight = self._weight * kept + 1 - kept
        self._known_s += busy_s

    @property
    def cores(self) -> float | None:
        """Return the mean; None until enough was measured."""
        return self._cores / self._weight if self._known_s >= KNOWN_S else None


class ScaleBound(NamedTuple):
    """The most instances that gain something, None where nothing bounds them; and the reason, for a person."""

    most: int | None
    why: str


def bound(use: float | None, threads: int, optimize: Optimize, cores: float) -> ScaleBound:
    """Return how many instances are worth having when each wants `use` cores while it has work.

    For latency they must not compete, so it is rounded down. Before `use` is known, `threads` above one count as used.
    """
    if use is None and (threads > 1 or optimize == "latency"):
        return ScaleBound(max(1, math.floor(cores / threads)), f"{_cores(cores)} ÷ {threads} threads, not measured yet")
    if use is None:
        return ScaleBound(None, "not measured yet")
    worth = cores / max(use, MIN_USE)
    most = math.floor(worth + SLACK) if optimize == "latency" else math.ceil(worth - SLACK)
    return ScaleBound(max(1, most), f"{_cores(cores)} ÷ {use:.2f} cores that a busy instance uses")


def within(scale: tuple[int, int], most: int | None) -> tuple[int, int]:
    """Return `scale` with its upper end bounded by `most`, never below its lower end, nor below one."""
    low, high = scale
    return scale if most is None else (low, max(low, min(high, max(1, most))))


def _cores(cores: float) -> str:
    return f"{cores:g} core{'' if cores == 1 else 's'}"
