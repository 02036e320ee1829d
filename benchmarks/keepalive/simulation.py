"""What a policy costs on a trace: cold starts, and for how many seconds an instance's memory was held."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from benchmarks.keepalive.traces import Trace
from edgefn_runtime.scheduling.keepalive import KeepAlive, Windows


class Policy(Protocol):
    """What is told each idle time, and asked for the windows when that taught it something."""

    def decide(self) -> Windows: ...
    def record(self, idle_s: float) -> bool: ...


class Fixed:
    """An `idle` of so many seconds."""

    def __init__(self, idle_s: float) -> None:
        self._windows = Windows(idle_s)

    def decide(self) -> Windows:
        return self._windows

    def record(self, idle_s: float) -> bool:
        """Learns nothing."""
        return False


POLICIES: dict[str, Callable[[], Policy]] = {
    "fixed 10 min": lambda: Fixed(600.0),
    "fixed 60 s": lambda: Fixed(60.0),
    "auto": lambda: KeepAlive(600.0),
}


@dataclass(frozen=True)
class Cost:
    """`memory_s`: instance-seconds without work; times an instance's private bytes it is memory-seconds."""

    requests: int
    cold_starts: int
    memory_s: float


def replay(trace: Trace, policy: Callable[[], Policy]) -> Cost:
    """The cost of `policy`, one of its own for each function of `trace`. Requests take no time here."""
    each = [_replay_one(idle_times, policy()) for idle_times in trace]
    return Cost(
        sum(cost.requests for cost in each), sum(cost.cold_starts for cost in each), sum(cost.memory_s for cost in each)
    )


def _replay_one(idle_times: Sequence[float], policy: Policy) -> Cost:
    cold, held_s = 0, 0.0
    windows = policy.decide()
    for idle_s in idle_times:
        cold += not windows.catches(idle_s)
        held_s += windows.held_s(idle_s)
        if policy.record(idle_s):
            windows = policy.decide()
    return Cost(len(idle_times), cold, held_s)
