"""Processes as the kernel shows them: who descends from whom, what each has mapped, who is left.

Reads /proc and sends signals to pids that a test names; starts nothing.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

import psutil

from tests.e2e.deadline import eventually


def descendants(pid: int) -> list[psutil.Process]:
    """All live processes below `pid`, zombies left out."""
    try:
        below = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process for process in below if alive(process)]


def alive(process: psutil.Process) -> bool:
    """True while it runs; a pid that was given to another process in the meantime is not it.

    The first process of a PID namespace that has ended waits in the kernel until all others in there are reaped, those
    whose parent has died by the machine's own init, which may take its time.
    """
    with contextlib.suppress(psutil.NoSuchProcess, OSError):
        ended = Path(f"/proc/{process.pid}/wchan").read_text(encoding="ascii") == "zap_pid_ns_processes"
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE and not ended)
    return False


def name_of(process: psutil.Process) -> str:
    """Return what a process is called; "" where it has ended as it was looked at."""
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""


def kill9(pid: int) -> None:
    """The process is gone, without a chance to say so."""
    process = psutil.Process(pid)
    os.kill(pid, signal.SIGKILL)
    eventually(f"process {pid} is gone", lambda: not alive(process))


def mapped_files(pid: int) -> set[str]:
    """The files that a process has mapped: its libraries and its models."""
    lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    return {fields[5] for line in lines if len(fields := line.split(maxsplit=5)) == 6}


def all_gone(processes: list[psutil.Process], *, seconds: float = 10.0) -> None:
    """Fails the test unless every one of `processes` ends within `seconds`."""
    eventually("no orphan is left", lambda: not any(map(alive, processes)), seconds=seconds)


def zygote_of(box: int) -> psutil.Process | None:
    """The zygote of a box process: the oldest one of its command that no sandbox confines; None while there is none."""
    found = [process for process in descendants(box) if _runs_zygote(process) and not confined(process.pid)]
    return min(found, key=lambda process: float(process.create_time()), default=None)


def _runs_zygote(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        return "edgefn_runtime.child.fork.zygote" in process.cmdline()  # its forks keep the command, and are confined
    return False


def confined(pid: int) -> bool:
    """Whether a seccomp filter holds the process, as proc(5) says; True too when it is gone."""
    with contextlib.suppress(OSError):
        return "Seccomp:\t0" not in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    return True


def anonymous_bytes(pid: int) -> int:
    """What a process has that is no file's, whoever shares it."""
    return _bytes(pid, "Anonymous:")


def held_bytes(pid: int) -> int:
    """What a process holds that is no file's, pages that it shares by share (proc(5), smaps_rollup).

    Files are left out as every other box on the machine maps the same: its end would count as a leak here.
    """
    return _bytes(pid, "Pss_Anon:", "Pss_Shmem:")


def _bytes(pid: int, *fields: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(fields))
