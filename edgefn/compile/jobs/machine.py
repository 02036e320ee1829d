"""The memory that a compiler's process holds. What the machine has is read by `edgefn.system.machine`."""

from __future__ import annotations

from pathlib import Path


def peak_bytes(process: int | str = "self") -> int:
    """Return the peak memory of a process in bytes; 0 for one that has ended.

    Not `ru_maxrss`: that begins with the memory of the process that started it.
    """
    try:
        status = Path(f"/proc/{process}/status").read_text("ascii", "replace")
    except OSError:
        return 0
    _, found, rest = status.partition("VmHWM:")
    return int(rest.split()[0]) * 1024 if found else 0  # a zombie has no memory to tell of
