"""The memory that a process holds, from /proc/PID/smaps_rollup (proc(5)). Reads; decides nothing.

The kernel walks all of the process's pages for it: some milliseconds for a large one, in which the process cannot be
forked. So the event loop asks a thread, and nothing in a cold start asks at all.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, NamedTuple


class Footprint(NamedTuple):
    """In bytes: the memory that no other process shares, and the most that it was.

    Of a template just loaded that is what it takes beside the zygote, of an instance what it takes beside its template:
    these add up. Shares (PSS) do too, but each changes with every fork and every end of another process. `peak_bytes`
    is the private part, and what its memory in all (VmHWM) has been beyond what it is now.
    """

    private_bytes: int
    peak_bytes: int


def footprint(pid: int) -> Footprint | None:
    """Return the footprint of the process `pid`; None when it has ended or cannot be read."""
    try:
        rollup = _sizes(f"/proc/{pid}/smaps_rollup")
        status = _sizes(f"/proc/{pid}/status")
    except OSError:
        return None
    private = sum(size for name, size in rollup.items() if name.startswith("Private_"))
    beyond = max(0, status.get("VmHWM", 0) - status.get("VmRSS", 0))
    return Footprint(private, private + beyond)


def _sizes(path: str) -> dict[str, int]:
    """Return the bytes by the name of each line such as `VmRSS:  1024 kB`."""
    words = [line.split() for line in Path(path).read_text("utf-8", errors="replace").splitlines()]
    return {line[0].rstrip(":"): 1024 * int(line[1]) for line in words if len(line) == 3 and line[2] == "kB"}


async def with_footprints(status: dict[str, Any]) -> dict[str, Any]:
    """Return a function's status with the `private_bytes` of each of its processes.

    They are None for a process that has ended.
    """
    processes = [process for process in (status.get("template"), *status.get("instances", ())) if process]
    unmeasured = [process for process in processes if "private_bytes" not in process]
    if unmeasured:
        found = await asyncio.to_thread(lambda: [footprint(process["pid"]) for process in unmeasured])
        for process, each in zip(unmeasured, found, strict=True):
            process["private_bytes"] = each.private_bytes if each is not None else None
    return status


async def measure(pid: int) -> Footprint | None:
    """Return the footprint of the process `pid`, as `footprint` does, without blocking the event loop."""
    return await asyncio.to_thread(footprint, pid)
