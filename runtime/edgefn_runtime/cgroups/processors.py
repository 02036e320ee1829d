"""The processors that this box may use, read once: its affinity, its control groups' quota, the cores below them.

Affinity and quota are those of the box at its start; a box that is moved to other processors must be restarted.
"""

from __future__ import annotations

import functools
import os
from pathlib import Path

from edgefn.spec import FunctionSpec
from edgefn.system.machine import cores
from edgefn_runtime.scheduling.cores import CpuShare, threads_of


@functools.cache
def machine() -> CpuShare:
    """Return the processors that this process may use."""
    return CpuShare(cores(), len({_core(number) for number in os.sched_getaffinity(0)}))


def threads_for(spec: FunctionSpec) -> int:
    """Return the threads that the engine of an instance of `spec` runs on, on this machine."""
    return threads_of(spec.threads, spec.optimize, machine())


def _core(processor: int) -> tuple[str, ...]:
    """Return the core of which `processor` is a hardware thread; itself where the kernel does not show it."""
    folder = Path(f"/sys/devices/system/cpu/cpu{processor}/topology")
    try:
        return tuple((folder / name).read_text("ascii").strip() for name in ("physical_package_id", "core_id"))
    except OSError:
        return (str(processor),)
