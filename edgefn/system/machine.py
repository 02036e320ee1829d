"""The memory and processors that this process may use, from /proc and its control groups.

The one reader of such facts, for a box and for a build. Limits of all control groups above this process hold: of a
service, its slice, a container, a pod. All is read anew each time, except the groups themselves: the rest may change.
"""

from __future__ import annotations

import contextlib
import functools
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from edgefn.system.cgroup_mounts import Place, places, upwards


class _Files(NamedTuple):
    """Where a version of control groups has its figures."""

    limit: str
    used: str
    droppable: str


_FILES = {
    1: _Files("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    2: _Files("memory.max", "memory.current", "inactive_file"),
}
_NO_LIMIT_BYTES = 2**60
"""Version 1 says "no limit" with a very large one."""

RESERVE_BYTES = 32 * 2**20
"""Not counted as available: memory that the kernel keeps free for itself."""


class GroupMemory(NamedTuple):
    """The memory of a bounded control group: its limit, and what is used without files that can be dropped."""

    limit_bytes: int
    used_bytes: int


_MAX_BYTES = 2**16
_Reader = Callable[[Path], str]


class _Group(NamedTuple):
    """A control group that may bound the memory, and its version's files."""

    folder: Path
    files: _Files


# ── memory ───────────────────────────────────────────────────────────────────────────────────────────────────────


def total_bytes() -> int:
    """Return the machine's memory, or the least limit of a control group around this process."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *(bound.limit_bytes for bound in memory_bounds(_own_places()))])


def available_bytes() -> int:
    """Return what may be allocated now with nothing pushed out; files in the page cache count as free.

    Asked before each start of a function, so it opens no group's file again: beside others that make groups and enter
    them, that takes milliseconds.
    """
    left = [bound.limit_bytes - bound.used_bytes for bound in _bounds(_own_memory_groups(), _read_again)]
    return max(0, min([_available_of_machine(), *left]) - RESERVE_BYTES)


def memory_bounds(around: list[Place]) -> Iterator[GroupMemory]:
    """Yield the bounds of the control groups of `around` and of those above them, as far as they have any."""
    return _bounds(_memory_groups(around), _read)


def _memory_groups(around: list[Place]) -> list[_Group]:
    bounding = [place for place in around if "memory" in place.controllers]
    return [_Group(folder, _FILES[place.version]) for place in bounding for folder in upwards(place.folder)]


def _bounds(groups: list[_Group], read: _Reader) -> Iterator[GroupMemory]:
    return filter(None, (_bound(*group, read) for group in groups))


def _bound(folder: Path, files: _Files, read: _Reader) -> GroupMemory | None:
    limit = _number(read(folder / files.limit))
    if limit is None or limit >= _NO_LIMIT_BYTES:
        return None
    used = _number(read(folder / files.used)) or 0
    return GroupMemory(limit, max(0, used - _droppable(read(folder / "memory.stat"), files)))


def _available_of_machine() -> int:
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        for line in meminfo:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _droppable(text: str, files: _Files) -> int:
    for line in text.splitlines():
        name, _, count = line.partition(" ")
        if name == files.droppable:
            return int(count)
    return 0


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isdigit() else None


def _read(file: Path) -> str:
    """Return the content of a kernel file, "" where it cannot be read."""
    try:
        return file.read_text("ascii")
    except OSError:
        return ""


def _read_again(file: Path) -> str:
    """Return the same of a file that stays open from the first time on."""
    try:
        return os.pread(_kept_open(file), _MAX_BYTES, 0).decode("ascii")
    except OSError:
        return ""


@functools.cache
def _kept_open(file: Path) -> int:
    return os.open(file, os.O_RDONLY | os.O_CLOEXEC)


# ── processors ───────────────────────────────────────────────────────────────────────────────────────────────────


def cores() -> float:
    """Return how many processors this process may keep busy: by its affinity, and by the quotas around it."""
    return min([float(len(os.sched_getaffinity(0))), *cpu_quotas(_own_places())])


def whole_cores() -> int:
    """Return as `cores`, those that are whole; one at the least."""
    return max(1, math.floor(cores()))


def cpu_quotas(around: list[Place]) -> Iterator[float]:
    """Yield the cores that the control groups of `around` and those above them allow, as far as they have a quota.

    Of version 2 it is `cpu.max`, "QUOTA PERIOD" or "max PERIOD" (cgroup-v2.rst of the kernel); of version 1
    `cpu.cfs_quota_us`, -1 for none, and `cpu.cfs_period_us` (sched-bwc.rst).
    """
    for place in around:
        if "cpu" in place.controllers:
            for folder in upwards(place.folder):
                with contextlib.suppress(OSError, ValueError):
                    quota, period = _quota(folder, place.version)
                    if quota > 0:
                        yield quota / period


def _quota(folder: Path, version: int) -> tuple[int, int]:
    if version == 1:
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text("ascii") for name in ("quota", "period"))
    else:
        quota, period = (folder / "cpu.max").read_text("ascii").split()
    return int(quota), int(period)  # "max" is no number, and no quota


@functools.cache
def _own_places() -> list[Place]:
    """Return the control groups that this process started in.

    A box of version 2 moves later into a leaf without bounds, below that group.
    """
    return places()


@functools.cache
def _own_memory_groups() -> list[_Group]:
    return _memory_groups(_own_places())
