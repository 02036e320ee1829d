"""The PID namespaces that the zygote makes: which child is in which, and the end of the empty ones.

The first process of each is a child of the box, too; it adopts what a process in there leaves behind when it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from typing import NamedTuple

from edgefn_runtime.workers.child import Child, children_of, children_of_this, name_of, parent_of, reap_ended

LOOK = signal.SIGTERM
"""To a first process: end if you are the last."""
_NAMES = ("edgefn-init", "edgefn-reaper", "edgefn-spare", "edgefn-sparenet", "edgefn-zygote")
_PAUSE_S, _CLOSE_PAUSE_S, _ROUNDS = 0.05, 0.005, 400
_YOUNG_S = 0.5


class _First(NamedTuple):
    """The first process of a namespace, and since when it is known (time.monotonic)."""

    child: Child
    opened: float


class ProcessNamespaces:
    """Owns the first processes. A child may become known before its namespace does."""

    def __init__(self) -> None:
        self._firsts: dict[int, _First] = {}

    def opened(self, pid: int) -> None:
        """Keep the first process of a namespace, which has reported itself."""
        with contextlib.suppress(OSError):  # it has ended already, and is reaped
            child = Child(pid)
            namespace = _namespace(pid)
            if namespace in (0, _namespace(os.getpid())):
                namespace = -pid  # a reaper, which stands in for one
            self._firsts[namespace] = _First(child, time.monotonic())
            child.when_ended(lambda: self._firsts.pop(namespace, None))

    def joined(self, child: Child) -> None:
        """Clean up when `child` ends: end what it left behind in its namespace.

        The namespace ends, too, when no other process is left in it.
        """
        namespace = _namespace(child.pid)
        child.when_ended(lambda: self._look(namespace, _ROUNDS) if namespace else self.look())

    def first_of(self, pid: int) -> int:
        """Return the pid of the first process of the namespace that `pid` is in.

        It is 0 where `pid` is in the box's own.
        """
        first = self._firsts.get(_namespace(pid))
        return first.child.pid if first is not None else 0

    def look(self, *, older_s: float = 0.0) -> None:
        """Let the empty namespaces end that are at least `older_s` old."""
        before = time.monotonic() - older_s
        for first in self._firsts.values():
            if first.opened <= before:
                first.child.signal(LOOK)

    def look_at_old(self) -> None:
        """Let the empty namespaces end, but not young ones, while the zygote lives.

        It makes a namespace a moment before it forks into it.
        """
        self.look(older_s=_YOUNG_S)

    async def close(self) -> None:
        """End all namespaces, and the processes in them.

        A first process ends only when the others are reaped; some of them have never reported.
        """
        for first in list(self._firsts.values()):
            first.child.kill()
        for _ in range(_ROUNDS):
            reap_ended()
            if not self._firsts and not _unknown():
                return
            await asyncio.sleep(_CLOSE_PAUSE_S)

    def _look(self, namespace: int, rounds: int) -> None:
        first = self._firsts.get(namespace)
        if first is None:
            return
        first.child.signal(LOOK)
        if end_children(first.child.pid) and rounds:
            asyncio.get_running_loop().call_later(_PAUSE_S, self._look, namespace, rounds - 1)


def end_children(first: int) -> bool:
    """Kill what the process `first` has adopted; tell whether there was any."""
    pids = children_of(first)
    for pid in pids:
        with contextlib.suppress(OSError):
            descriptor = os.pidfd_open(pid)
            try:
                if parent_of(pid) == first:  # the number is not another's by now
                    signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            finally:
                os.close(descriptor)
    return bool(pids)


def _unknown() -> list[int]:
    """Return the children that the zygote forked as it ended."""
    return [pid for pid in children_of_this() if pid not in Child.living and name_of(pid) in _NAMES]


def _namespace(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except OSError:
        return 0
