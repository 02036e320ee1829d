"""A compiler as a process: started in a group of its own, watched, and ended with all that it started.

Owns the process and its log. Of its progress it only looks at how the process ended.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edgefn.compile.author import boundary
from edgefn.compile.jobs import machine
from edgefn.compile.jobs.job import JobProgress, read_told
from edgefn.errors import DiskFull
from edgefn.system import signals

End = Literal["done", "failed", "killed", "timed out"]

_MODULE = "edgefn.compile.jobs.lowering"
_SUBREAPER = 36  # prctl(2): PR_SET_CHILD_SUBREAPER


@dataclass(frozen=True)
class CompilerExit:
    """How a compiler ended: `signal` is the name of what killed it, where something did."""

    end: End
    told: JobProgress
    peak_bytes: int
    signal: str = ""


class Worker:
    """One running compiler. `fileno` becomes readable when it has ended; then, or at its limit, call `end`."""

    def __init__(self, folder: Path, log: Path, limit_s: float) -> None:
        self._folder = folder
        self._peak_bytes = 0
        log.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder / "tmp"  # what it has there goes with its folder, even when it is killed
        temporary.mkdir(exist_ok=True)
        with log.open("ab") as chatter:
            self._process = boundary.unobserved(
                lambda: subprocess.Popen(
                    [sys.executable, "-m", _MODULE, str(folder)],
                    env=os.environ | {"TMPDIR": str(temporary)},
                    stdin=subprocess.PIPE,
                    stdout=chatter,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )
        self._deadline = time.monotonic() + limit_s
        self._pidfd = os.pidfd_open(self._process.pid)

    def fileno(self) -> int:
        return self._pidfd

    def left_s(self) -> float:
        """Return the seconds until the time limit; negative after it."""
        return self._deadline - time.monotonic()

    def look(self) -> None:
        """Record the peak of the compiler's memory, for the case that it is killed before it can report it."""
        self._peak_bytes = max(self._peak_bytes, machine.peak_bytes(self._process.pid))

    def end(self, *, ended: bool) -> CompilerExit:
        """Kill the process group and return how the compiler ended.

        `ended`: the compiler ended by itself, not at its limit.
        """
        code = self._kill()
        told = read_told(self._folder)
        peak = max(self._peak_bytes, told.peak_bytes)
        if not ended:
            return CompilerExit("timed out", told, peak)
        if code < 0:
            return CompilerExit("killed", told, peak, signals.name_of(-code))
        if code == DiskFull.exit_code and not told.reason:
            told.reason = f"no space left on the disk to write {self._folder}: free some, then try again"
        return CompilerExit("done" if code == 0 and told.step == "done" else "failed", told, peak)

    def _kill(self) -> int:
        """Kill and reap the group; return the compiler's exit code, negative for a signal.

        The compiler may be a zombie already.
        """
        pid = self._process.pid
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)  # its pid is not given away as long as we have not waited for it
        code = self._process.wait()
        with suppress(ChildProcessError):  # what it left behind has become ours: see `adopt_orphans`
            while True:
                os.waitpid(-pid, 0)
        assert self._process.stdin is not None
        self._process.stdin.close()
        os.close(self._pidfd)
        return code


def adopt_orphans() -> None:
    """Adopt the processes that compilers leave behind: this process reaps them, not init."""
    ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)


def children() -> set[int]:
    """List the pids of this process's children, adopted ones included."""
    return {int(path.name) for path in Path("/proc").glob("[0-9]*") if _parent(path) == os.getpid()}


def end_adopted(known: set[int]) -> None:
    """Kill all children that are not in `known`: processes of a compiler that had left its group.

    Call only while no compiler runs.
    """
    for pid in children() - known:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text("ascii", "replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0
