"""What the build machine has to compile with now: cores, and memory that may be taken without pushing anything out."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""By the controllers of a line of /proc/self/cgroup: version 2 has none there."""


def cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0))


def available_bytes() -> int:
    """The machine's available memory, or what the control groups around this process leave of it."""
    return max(0, min([_meminfo(), *_left_by_groups()]))


def peak_bytes(process: int | str = "self") -> int:
    """The most that a process has held at once; 0 for one that has ended.

    Not `ru_maxrss`: that begins at what the process held from which it was started.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text("ascii", "replace")
    except OSError:
        return 0
    _, found, rest = status.partition("VmHWM:")
    return int(rest.split()[0]) * 1024 if found else 0  # a zombie has no memory to tell of


def _meminfo() -> int:
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))


def _left_by_groups() -> list[int]:
    left = []
    for line in Path("/proc/self/cgroup").read_text("utf-8").splitlines():
        _, controllers, place = line.split(":", 2)
        if controllers in _FILES:
            root = _CGROUP / controllers
            folder = root / place.lstrip("/")
            left += [
                _left(each, *_FILES[controllers]) for each in (folder, *folder.parents) if each.is_relative_to(root)
            ]
    return [one for one in left if one is not None]


def _left(folder: Path, limit_file: str, used_file: str, droppable: str) -> int | None:
    try:
        limit, used = (folder / limit_file).read_text("ascii").strip(), (folder / used_file).read_text("ascii")
        stat = dict(line.split(" ", 1) for line in (folder / "memory.stat").read_text("ascii").splitlines())
    except OSError:  # a group that this namespace does not show, or one without the controller
        return None
    return int(limit) - int(used) + int(stat.get(droppable, 0)) if limit.isdigit() else None
