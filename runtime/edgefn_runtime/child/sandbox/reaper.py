"""A process that kills the programs of handlers when their box ends, where there is no PID namespace.

The zygote marks itself, and so all that descends from it, by a limit that the kernel keeps and does not use
(RLIMIT_LOCKS): it can only be lowered, and a forbidden system call keeps handlers from that. The mark finds programs
whose parents have ended, whatever they did to hide.
"""

from __future__ import annotations

import contextlib
import os
import resource
import secrets
import select
import signal
import time
from pathlib import Path
from typing import Final

from edgefn_runtime.child.control import Control
from edgefn_runtime.child.fork import process
from edgefn_runtime.child.fork.clone import fork_sibling
from edgefn_runtime.wire.messages import Init

NAME: Final = "edgefn-reaper"
MARKED_BY: Final = 10
"""RLIMIT_LOCKS."""
_FIELD = "Max file locks"
_ROUNDS, _PAUSE_S = 100, 0.05


def start(box: Control) -> None:
    """Mark this process and start its reaper. Raises OSError."""
    mark = secrets.randbits(60)
    with contextlib.suppress(ValueError):  # somebody has lowered it already: his mark is as good
        resource.setrlimit(MARKED_BY, (mark, mark))
    box_pid = os.getppid()
    if fork_sibling() == 0:
        process.leave_after(lambda: _main(box, box_pid))


def _main(box: Control, box_pid: int) -> int:
    process.close_all_but([box.fileno()])
    os.setsid()
    process.name(NAME)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    ended = os.pidfd_open(box_pid)
    if not box.reaches(Init()):
        return 0  # the box has died
    box.close()
    if os.getppid() == box_pid:
        select.select([ended], [], [])
    _end_all(str(resource.getrlimit(MARKED_BY)[0]))
    return 0


def _end_all(mark: str) -> None:
    for _ in range(_ROUNDS):
        found = [pid for pid in map(int, filter(str.isdecimal, os.listdir("/proc"))) if _is_marked(pid, mark)]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_PAUSE_S)


def _is_marked(pid: int, mark: str) -> bool:
    if pid == os.getpid():
        return False
    try:
        lines = Path(f"/proc/{pid}/limits").read_text("ascii").splitlines()
    except OSError:
        return False
    return any(line.startswith(_FIELD) and line.split()[-2] == mark for line in lines)
