"""How an instance's memory grows from call to call, and when it had better make room for a fresh one.

What is looked at is what the limit counts (RLIMIT_DATA). Pure, but for `PrivateMemory`, which reads it.
"""

from __future__ import annotations

import os
import resource

from edgefn_runtime.child.fork import heap

LONG_S = 0.0001
"""After so many seconds of calls it is looked at again: in that time a fast machine fills 2 MiB. Reading costs 3 µs."""
SLACK = 4 * 2**20
"""Beside what a call keeps it needs room to work in, and the heap grows by whole huge pages of 2 MiB."""
EVERY = 16
"""After so many calls, however short."""


class Growth:
    """What was used after each look, of `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._first = -1
        self._last = 0
        self._step = limit_bytes // 10
        self._slack = min(SLACK, limit_bytes // 16)

    def leaks_away(self, used_bytes: int) -> bool:
        """Whether it uses more than after its first call, and may not get through another such step.

        A handler that needs nearly all of its memory, but always the same, goes on for ever.
        """
        if self._first < 0:
            self._first = self._last = used_bytes
            return False
        is_near = self.is_near(used_bytes)
        self._step = self._step_to(used_bytes)
        self._last = used_bytes
        return is_near

    def is_near(self, used_bytes: int) -> bool:
        """Whether `leaks_away` would be true, without having looked."""
        return 0 <= self._first < used_bytes and used_bytes + self._step_to(used_bytes) + self._slack > self._limit

    def _step_to(self, used_bytes: int) -> int:
        return max(self._step, used_bytes - self._last)


class PrivateMemory:
    """The private writable memory of this process, of `limit_bytes` that it may have more than it had at some time.

    That was when its limit was set: whatever it has taken since then counts. Without a limit it is now.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._page = resource.getpagesize()
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
        self._before = self._bytes() if limit == resource.RLIM_INFINITY else limit - limit_bytes

    def used_bytes(self) -> int:
        """Now."""
        return self._bytes() - self._before

    def _bytes(self) -> int:
        return int(os.pread(self._statm, 256, 0).split()[5]) * self._page


class Watch:
    """Says once when the instance had better end: asked after each call."""

    def __init__(self, limit_bytes: int) -> None:
        self._memory = PrivateMemory(limit_bytes)
        self._growth = Growth(limit_bytes)
        self._calls = 0
        self._worked_s = 0.0
        self.full = False
        """Whether it has been said: what comes now is for another instance."""

    def full_after(self, seconds: float) -> bool:
        """Whether a call of `seconds` has been the last."""
        self._calls += 1
        self._worked_s += seconds
        if self.full or (self._worked_s < LONG_S and self._calls < EVERY):
            return False
        self._calls, self._worked_s = 0, 0.0
        used_bytes = self._memory.used_bytes()
        if self._growth.is_near(used_bytes):
            heap.trim()  # a large request leaves free memory behind, which is no leak
            used_bytes = self._memory.used_bytes()
        self.full = self._growth.leaks_away(used_bytes)
        return self.full
