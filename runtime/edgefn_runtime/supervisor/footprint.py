"""What a process holds of the machine's memory, from /proc/PID/smaps_rollup (proc(5)). Reads; decides nothing.

The kernel walks all of the process's pages for it: some milliseconds for a large one, and as long nobody can fork it.
So the event loop asks a thread, and nothing on a cold start's way asks at all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import NamedTuple


class Footprint(NamedTuple):
    """In bytes: what no other process shares, and the same with its share of what several do (PSS)."""

    private_bytes: int
    pss_bytes: int


def footprint(pid: int) -> Footprint | None:
    """Of the process `pid`; None when it has ended or cannot be read."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return None
    sizes = [(line.split()[0], 1024 * int(line.split()[1])) for line in lines[1:]]
    private = sum(size for name, size in sizes if name.startswith("Private_"))
    return Footprint(private, sum(size for name, size in sizes if name == "Pss:"))


async def measure(pid: int) -> Footprint | None:
    """As `footprint`, without holding up the event loop."""
    return await asyncio.to_thread(footprint, pid)
