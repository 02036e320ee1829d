"""The zygote's forks: children of the box, each in its own PID namespace where the kernel allows one."""

from __future__ import annotations

import errno
import functools
import sys
from collections.abc import Callable, Iterable

from edgefn_runtime.child.control import Control
from edgefn_runtime.child.fork import process
from edgefn_runtime.child.fork.clone import fork_sibling
from edgefn_runtime.child.sandbox import Enforcement, probe
from edgefn_runtime.child.sandbox.init import ProcessNamespace, may_come_back
from edgefn_runtime.wire.messages import Passing

_NEVER = {errno.EPERM, errno.ENOSYS, errno.EINVAL}
_PROBES = 3
"""Attempts to find out what this machine enforces, because an OOM killer may kill a probe."""


class Forks:
    """Makes the zygote's forks; each namespace's first process reports itself to `box`."""

    def __init__(self, box: Control, box_pid: int) -> None:
        self._box = box
        self._box_pid = box_pid
        self._ahead: ProcessNamespace | None = None
        self._possible = True
        self._may_come_back = may_come_back()

    def prepare(self) -> None:
        """Make the namespace of the next fork ahead, unless there is one.

        Does nothing where the kernel allows none. A namespace whose first process was killed accepts no process any
        more (ENOMEM): a new one takes its place.
        """
        if self._ahead is not None and not self._ahead.lives:
            self._leave()
        if self._ahead is None and self._possible:
            try:
                self._ahead = ProcessNamespace(self._box)
            except OSError as error:
                self._possible = error.errno not in _NEVER

    def fork(self, main: Callable[[], int], keep: Iterable[int], group: int | None = None) -> None:
        """Fork as `process.fork_child` does, in a new namespace. Raises OSError."""
        self.prepare()
        namespace, self._ahead = self._ahead, None
        if namespace is None:
            process.fork_child(main, box_pid=self._box_pid, keep=keep, group=group)
            return
        try:
            if self._may_come_back:
                with namespace:
                    process.fork_child(main, box_pid=self._box_pid, keep=keep, group=group)
            elif fork_sibling() == 0:
                process.leave_after(lambda: self._pass_on(namespace, main, keep, group))
        finally:
            namespace.close()

    def probe(self) -> Enforcement:
        """Return the layers that this machine enforces for such a fork.

        Raises OSError where each probe dies: nothing was found out, and taken for an answer, that would let functions
        run with whatever holds. Raises ConnectionAbortedError where the probes die because the box has gone.
        """
        tell = functools.partial(self._tell, "cannot try the sandbox")
        for _ in range(_PROBES):
            self.prepare()
            if found := probe(self._ahead.enter if self._ahead is not None else lambda: None, tell):
                return found
            self._leave()
            if self._box.has_gone():
                raise ConnectionAbortedError("the box has ended")
        raise OSError(errno.ECHILD, "cannot determine what this machine enforces: each process that tries it dies")

    def _tell(self, what: str, error: Exception) -> None:
        """Print what failed, unless it failed because the box has gone."""
        if not self._box.has_gone():
            print(f"{what}: {error}", file=sys.stderr)

    def _leave(self) -> None:
        if self._ahead is not None:
            self._ahead.close()
            self._ahead = None

    def _pass_on(
        self, namespace: ProcessNamespace, main: Callable[[], int], keep: Iterable[int], group: int | None
    ) -> int:
        """Fork in the namespace, and end: a process that is not root of all may enter one, but not leave it."""
        if not self._box.reaches(Passing()):
            return 0  # the box has gone
        namespace.enter()
        try:
            process.fork_child(main, box_pid=self._box_pid, keep=keep, group=group)
        except OSError as error:  # the namespace's first process was killed, or the box is gone and that one with it
            self._tell("cannot start a process", error)
        return 0
