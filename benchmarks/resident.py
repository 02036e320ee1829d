"""A process's memory as the kernel counts it: /proc/PID/smaps and its sum. Reads, starts nothing."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

MB = 1e6


class Mapped(NamedTuple):
    """All mappings of one file in one process, in MB (10^6 bytes)."""

    mappings: int
    pss: float
    private_dirty: float


def anonymous_mb(pid: int) -> float:
    """MB in no file: what this process has written, shared with a fork of it or not."""
    return rollup(Path(f"/proc/{pid}/smaps_rollup").read_text())["Anonymous"] / MB


def private_mb(pid: int) -> float:
    """MB that only this process holds: what the machine gets back when it ends."""
    sizes = rollup(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return (sizes["Private_Clean"] + sizes["Private_Dirty"]) / MB


def pss_mb(pid: int) -> float:
    """MB of this process, with what it shares divided by those who share it: these may be summed."""
    return rollup(Path(f"/proc/{pid}/smaps_rollup").read_text())["Pss"] / MB


def mapped(pid: int, file: str) -> Mapped:
    """How much of the file named `file` this process has mapped."""
    return mapping(Path(f"/proc/{pid}/smaps").read_text(), file)


def rollup(text: str) -> dict[str, int]:
    """Bytes by field of smaps_rollup."""
    fields = (line.split() for line in text.splitlines()[1:])
    return {words[0].rstrip(":"): int(words[1]) * 1024 for words in fields if words[-1] == "kB"}


def mapping(text: str, file: str) -> Mapped:
    """The mappings of a file named `file`, summed over the text of smaps."""
    count = pss = dirty = 0
    inside = False
    for line in text.splitlines():
        words = line.split(maxsplit=5)
        if not words[0].endswith(":"):
            inside = len(words) == 6 and Path(words[5]).name == file
            count += inside
        elif inside:
            pss += int(words[1]) if words[0] == "Pss:" else 0
            dirty += int(words[1]) if words[0] == "Private_Dirty:" else 0
    return Mapped(count, pss * 1024 / MB, dirty * 1024 / MB)
