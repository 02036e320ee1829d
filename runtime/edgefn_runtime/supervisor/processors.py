"""The processors that this box may use, read once: its affinity, its control groups' quota, the cores below them.

Affinity and quota are those of the box at its start; a box that is moved to other processors is to be started again.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path

from edgefn_runtime.scheduling.cores import Machine
from edgefn_runtime.supervisor import hierarchy


@functools.cache
def machine() -> Machine:
    """What this process may use."""
    processors = os.sched_getaffinity(0)
    quota = min(_quotas(), default=float("inf"))
    return Machine(min(float(len(processors)), quota), len({_core(number) for number in processors}))


def _core(processor: int) -> tuple[str, ...]:
    """The core that a processor is a hardware thread of; itself where that is not told."""
    folder = Path(f"/sys/devices/system/cpu/cpu{processor}/topology")
    try:
        return tuple((folder / name).read_text("ascii").strip() for name in ("physical_package_id", "core_id"))
    except OSError:
        return (str(processor),)


def _quotas() -> Iterator[float]:
    """Cores by the quota of each control group that this process is in, of version 2 and 1; none where none is set."""
    for place in hierarchy.places():
        if "cpu" in place.controllers:
            yield from quotas_v2(place.folder) if place.version == 2 else quotas_v1(place.folder)


def quotas_v2(group: Path) -> Iterator[float]:
    """From `cpu.max`, "QUOTA PERIOD" or "max PERIOD", of the group and those above it (cgroup-v2.rst of the kernel)."""
    for folder in _upwards(group):
        with contextlib.suppress(OSError, ValueError):
            quota, period = (folder / "cpu.max").read_text("ascii").split()
            if quota != "max":
                yield int(quota) / int(period)


def quotas_v1(group: Path) -> Iterator[float]:
    """From `cpu.cfs_quota_us`, -1 for none, and `cpu.cfs_period_us` (sched-bwc.rst of the kernel)."""
    for folder in _upwards(group):
        with contextlib.suppress(OSError, ValueError):
            quota = int((folder / "cpu.cfs_quota_us").read_text("ascii"))
            if quota > 0:
                yield quota / int((folder / "cpu.cfs_period_us").read_text("ascii"))


def _upwards(group: Path) -> Iterator[Path]:
    """The group and those above it, as far as there are any."""
    while (group / "cgroup.procs").exists():
        yield group
        group = group.parent
