"""Processes that a handler started and left behind: found, killed and reaped, with or without control groups.

A handler may hide what it starts from its process group and session. It cannot leave its mount namespace, which is
the function's own, nor, where the box is root, its user. What remains when an instance ends becomes a child of the
first process of its PID namespace, or the box's where it has none; what a living instance started stays its own,
because an instance is a subreaper (prctl(2)).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

from edgefn_runtime.workers.child import Child, children_of_this
from edgefn_runtime.workers.processnamespaces import end_children

_PAUSE_S = 0.02
_ROUNDS = 250
_NOBODY = -2


class Orphans:
    """The processes that the instance `pid`, which runs now, may leave behind.

    `launching` tells whether the function starts a process that the box does not know yet; `empty` kills whatever is in
    the function's control group, once no process of it should be there; `first` is the first process of its PID
    namespace, or 0.
    """

    def __init__(self, pid: int, launching: Callable[[], bool], empty: Callable[[], bool], first: int = 0) -> None:
        self._first = first
        self._launching = launching
        self._empty = empty
        self._namespace = _namespace(pid)
        if self._namespace == _namespace(os.getpid()):
            self._namespace = 0  # not its own: namespaces are not enforced here
        self._user = _user(pid)
        if self._user in (0, os.geteuid()):
            self._user = _NOBODY

    async def clear(self) -> None:
        """Kill and reap all that the ended instance started, until none of it runs."""
        for _ in range(_ROUNDS):
            gone = not (self._first and end_children(self._first))
            if not self._launching() and not _end(self._found()) and self._empty() and gone:
                return
            await asyncio.sleep(_PAUSE_S)

    def _found(self) -> list[int]:
        return [pid for pid in children_of_this() if pid not in Child.living and self._is_its(pid)]

    def _is_its(self, pid: int) -> bool:
        namespace = _namespace(pid)  # 0 of a process that has ended
        return namespace == self._namespace != 0 or (not namespace and _user(pid) == self._user)


def _end(pids: list[int]) -> bool:
    """Kill and reap `pids`; tell whether there were any."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, os.WNOHANG)
    return bool(pids)


def _namespace(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/mnt").st_ino
    except OSError:
        return 0


def _user(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1
