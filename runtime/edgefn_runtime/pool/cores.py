"""The processor use of a pool's instances, measured from outside, and how that bounds the pool's scale.

The instances report nothing: their clocks are the kernel's, read by pid, only while the pool may grow and not more
often than LOOK_S. So it costs a call nothing, threads and native pools count, and no instance can lie about it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from edgefn.spec import FunctionSpec
from edgefn_runtime.cgroups.processors import machine, threads_for
from edgefn_runtime.scheduling.cores import ScaleBound, Use, bound, within
from edgefn_runtime.workers.instance import Instance

LOOK_S = 0.1
_NS = 1e-9


class Reading(NamedTuple):
    """Seconds since an instance's start: with work inside; of cores that it had, or stood in the kernel's queue for."""

    busy_s: float
    wanted_s: float


class Cores:
    """The share of the processors that one revision's instances take."""

    def __init__(self, spec: FunctionSpec) -> None:
        self._spec = spec
        self._use = Use()
        self._seen: WeakKeyDictionary[Instance, Reading] = WeakKeyDictionary()
        self._look_at = 0.0
        self._bound = self._decide()

    def began(self, instance: Instance) -> None:
        """Begin to measure `instance`, which is ready; its start is not counted."""
        self._seen[instance] = read(instance)

    def look(self, instances: Iterable[Instance]) -> None:
        """Measure what the instances use, unless that was done less than LOOK_S ago."""
        if (now := time.monotonic()) >= self._look_at:
            self._look_at = now + LOOK_S
            for instance in instances:
                self._look(instance)
            self._bound = self._decide()

    def within(self, scale: tuple[int, int]) -> tuple[int, int]:
        """Return `scale` with no more instances than the processors can use."""
        return within(scale, self._bound.most)

    def _look(self, instance: Instance) -> None:
        before = self._seen.get(instance)
        if before is not None:
            self._seen[instance] = found = read(instance)
            self._use.add(found.wanted_s - before.wanted_s, found.busy_s - before.busy_s)

    def _decide(self) -> ScaleBound:
        spec = self._spec
        return bound(self._use.cores, threads_for(spec), spec.optimize, machine().cores)

    def figures(self) -> dict[str, Any]:
        """Return the figures that `edgefn status` shows."""
        _, asked = self._spec.scale
        _, most = self.within(self._spec.scale)
        use = self._use.cores
        return {
            "available": machine().cores,
            "threads": threads_for(self._spec),
            "optimize": self._spec.optimize,
            "use": None if use is None else round(use, 3),
            "most_instances": most,
            "why": self._bound.why if most < asked else f"scale; {self._bound.why}",
        }


def read(instance: Instance) -> Reading:
    """Read the instance's clocks now; what cannot be read of a process that has just ended is 0."""
    return Reading(instance.busy_s, _cpu_s(instance.pid) + _queued_s(instance.pid)) if instance.pid else Reading(0, 0)


def _cpu_s(pid: int) -> float:
    """Return the processor time of all its threads, in seconds.

    See clock_getcpuclockid(3): the clock's id is made of the pid.
    """
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _queued_s(pid: int) -> float:
    """Return the seconds in which its threads were ready to run and did not run.

    Without them, instances that compete seem to want less. From schedstat (sched-stats.rst of the kernel); 0 where the
    kernel does not keep it.
    """
    try:
        return sum(
            int((task / "schedstat").read_text("ascii").split()[1]) * _NS
            for task in Path(f"/proc/{pid}/task").iterdir()
        )
    except (OSError, ValueError, IndexError):
        return 0.0
