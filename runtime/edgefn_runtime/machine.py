"""How much memory this machine has for the box, and has left, as /proc and the box's control group tell each time."""

from __future__ import annotations

import functools
import os
from pathlib import Path

from edgefn_runtime.supervisor.hierarchy import Place, places

_FILES = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes"), 2: ("memory.max", "memory.current")}
RESERVE_BYTES = 32 * 2**20
"""Not counted as available: what the kernel wants free for itself."""


def total_bytes() -> int:
    """The machine's memory, or the bound of the box's control group where that is less."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([physical, *(limit for limit, _ in _bounds())])


def available_bytes() -> int:
    """What may be allocated now without anything being pushed out; files in the page cache count as free."""
    return max(0, min([_machine(), *(limit - used for limit, used in _bounds())]) - RESERVE_BYTES)


def _machine() -> int:
    with open("/proc/meminfo", encoding="ascii") as meminfo:
        for line in meminfo:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")


def _bounds() -> list[tuple[int, int]]:
    """(limit, used without files that can be dropped) of each bounded control group with memory that the box is in."""
    return [bound for place in _places() if (bound := _bound(place)) is not None]


@functools.cache
def _places() -> list[Place]:
    """Those of the box as it started: with version 2 it moves into a leaf without a bound."""
    return [place for place in places() if "memory" in place.controllers]


def _bound(place: Place) -> tuple[int, int] | None:
    limit_file, used_file = _FILES[place.version]
    limit = _number(place.folder / limit_file)
    if limit is None or limit >= 2**60:  # version 1 says "no limit" with a very large one
        return None
    return limit, max(0, (_number(place.folder / used_file) or 0) - _droppable(place.folder / "memory.stat"))


def _droppable(file: Path) -> int:
    try:
        lines = file.read_text("ascii").splitlines()
    except OSError:
        return 0
    found = {name: int(count) for name, _, count in (line.partition(" ") for line in lines)}
    return found.get("total_inactive_file", found.get("inactive_file", 0))


def _number(file: Path) -> int | None:
    try:
        text = file.read_text("ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
