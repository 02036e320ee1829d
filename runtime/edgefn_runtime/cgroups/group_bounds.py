"""The bounds of a function's control group: what its processes may use together, those that live, and one more.

A bundle sets how many instances there may be at most; if the group were bounded for all of them, one instance might
take what the machine has. The bound is never more than the box's memory for functions.
"""

from __future__ import annotations

import asyncio
import contextlib

from edgefn.spec import FunctionSpec
from edgefn_runtime.cgroups.controlgroups import FunctionGroup
from edgefn_runtime.scheduling.ledger import most_bytes

AHEAD = 1
"""Instances that are allowed for before they are wanted, so that no start waits for it."""

LOWER_S = 1.0
"""So long after an instance has ended the bound follows: its processes and pages may take a moment to go."""


class GroupBounds:
    """The bounds of one revision's group, in which each instance may have `processes_each` processes and threads."""

    def __init__(self, group: FunctionGroup, spec: FunctionSpec, budget_bytes: int, processes_each: int) -> None:
        self._group, self._spec = group, spec
        self.budget_bytes = budget_bytes
        self._processes_each = processes_each
        self._loaded_bytes: int | None = None
        self._files_bytes = 0
        self._live = 0
        self._allowed = 1 + AHEAD
        self._lowering: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._apply()

    @property
    def memory_bytes(self) -> int:
        """Return the bytes that the processes may use together now.

        That is the whole budget until it is known what the function takes once loaded.
        """
        if self._loaded_bytes is None:
            return self.budget_bytes
        count = min(self._allowed, self._spec.scale[1])
        wanted = most_bytes(self._loaded_bytes, self._files_bytes, self._spec.memory_bytes, count)
        return min(wanted, self.budget_bytes)

    @property
    def load_bytes(self) -> int:
        """Return the bytes that a process may allocate while it loads.

        It is a little less than all, so that the process gets an error and is not killed.
        """
        return self.budget_bytes - self.budget_bytes // 8

    @property
    def processes(self) -> int:
        """Return the processes and threads that they may have together, the template's among them."""
        return self._processes_each * (1 + min(self._allowed, self._spec.scale[1]))

    def measured(self, loaded_bytes: int, files_bytes: int) -> None:
        """Bound the memory by `loaded_bytes`, which the loaded function takes, and its mapped `files_bytes`.

        Blocks for a moment.
        """
        self._loaded_bytes, self._files_bytes = loaded_bytes, files_bytes
        self._apply()

    def expect(self, instances: int) -> None:
        """Allow for the `instances` that live or start, and for one more."""
        self._live = instances
        if instances > self._allowed:
            self._allowed = instances
            self._apply()
        if self._lowering is None and self._allowed != instances + AHEAD:
            wait_s = 0.0 if instances + AHEAD > self._allowed else LOWER_S
            self._lowering = asyncio.get_running_loop().call_later(wait_s, self._follow)

    def close(self) -> None:
        """Stop changing the bounds."""
        if self._lowering is not None:
            self._lowering.cancel()
            self._lowering = None

    def _follow(self) -> None:
        self._lowering = None
        self._allowed = max(1, self._live) + AHEAD
        # In a thread: to lower it, the kernel may have to look for pages that can go.
        task = asyncio.ensure_future(asyncio.to_thread(self._apply))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _apply(self) -> None:
        with contextlib.suppress(OSError):
            self._group.limit_memory(self.memory_bytes)
            self._group.limit_processes(self.processes)
