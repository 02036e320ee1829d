"""What a function's processes may have together, as its control group bounds it: for those that live, and one more.

A bundle says how many instances there may be at most; were the group bounded for all of them, one instance might take
what the machine has. Never more than the box's memory for functions.
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
        """What they may use together now: the whole budget until it is known what the function takes once loaded."""
        if self._loaded_bytes is None:
            return self.budget_bytes
        count = min(self._allowed, self._spec.scale[1])
        wanted = most_bytes(self._loaded_bytes, self._files_bytes, self._spec.memory_bytes, count)
        return min(wanted, self.budget_bytes)

    @property
    def load_bytes(self) -> int:
        """What a process of it may allocate as it loads: a little less than all, so that it hears of it by an error."""
        return self.budget_bytes - self.budget_bytes // 8

    @property
    def processes(self) -> int:
        """The processes and threads that they may have together, the template's among them."""
        return self._processes_each * (1 + min(self._allowed, self._spec.scale[1]))

    def measured(self, loaded_bytes: int, files_bytes: int) -> None:
        """The function takes `loaded_bytes` when it is loaded, and maps files of so many bytes. Blocks for a moment."""
        self._loaded_bytes, self._files_bytes = loaded_bytes, files_bytes
        self._apply()

    def expect(self, instances: int) -> None:
        """So many instances live or start; one more is allowed for behind them."""
        self._live = instances
        if instances > self._allowed:
            self._allowed = instances
            self._apply()
        if self._lowering is None and self._allowed != instances + AHEAD:
            wait_s = 0.0 if instances + AHEAD > self._allowed else LOWER_S
            self._lowering = asyncio.get_running_loop().call_later(wait_s, self._follow)

    def close(self) -> None:
        """Nothing is changed any more."""
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
