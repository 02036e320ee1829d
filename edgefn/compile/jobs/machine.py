"""What a compiler's process holds of the memory; what there is of it is told by `edgefn.system.machine`."""

from __future__ import annotations

from pathlib import Path


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
