"""The zygote's forks: children of the box, each in a PID namespace of its own where the kernel has such."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable

from edgefn_runtime.process import birth
from edgefn_runtime.process.clone import fork_sibling
from edgefn_runtime.process.control import Control
from edgefn_runtime.process.sandbox import Enforcement, probe
from edgefn_runtime.process.sandbox.init import ProcessNamespace
from edgefn_runtime.wire.messages import Passing

_NEVER = {errno.EPERM, errno.ENOSYS, errno.EINVAL}


class Forks:
    """`box` is told of the first process of each namespace."""

    def __init__(self, box: Control, box_pid: int) -> None:
        self._box = box
        self._box_pid = box_pid
        self._ahead: ProcessNamespace | None = None
        self._possible = True

    def prepare(self) -> None:
        """Make the namespace of the next fork ahead, unless it is there; nothing where the kernel allows none."""
        if self._ahead is None and self._possible:
            try:
                self._ahead = ProcessNamespace(self._box)
            except OSError as error:
                self._possible = error.errno not in _NEVER

    def fork(self, main: Callable[[], int], keep: Iterable[int], group: int | None = None) -> None:
        """As birth.fork_child, in a new namespace. Raises OSError."""
        self.prepare()
        namespace, self._ahead = self._ahead, None
        if namespace is None:
            birth.fork_child(main, box_pid=self._box_pid, keep=keep, group=group)
            return
        try:
            if os.geteuid() == 0:
                with namespace:
                    birth.fork_child(main, box_pid=self._box_pid, keep=keep, group=group)
            elif fork_sibling() == 0:
                birth.leave_after(lambda: self._pass_on(namespace, main, keep, group))
        finally:
            namespace.close()

    def probe(self) -> Enforcement:
        """Return what this machine enforces for such a fork."""
        self.prepare()
        return probe(self._ahead.enter if self._ahead is not None else lambda: None)

    def _pass_on(
        self, namespace: ProcessNamespace, main: Callable[[], int], keep: Iterable[int], group: int | None
    ) -> int:
        """In a process that forks and ends: who is not root may enter a namespace of his, and not leave it again."""
        self._box.report(Passing())
        namespace.enter()
        birth.fork_child(main, box_pid=self._box_pid, keep=keep, group=group)
        return 0
