"""How an instance's memory grows from call to call, and when it had better make room for a fresh one.

What is looked at is what the limit counts (RLIMIT_DATA). Pure, but for `Memory`, which reads it.
"""

from __future__ import annotations

import os
import resource

LONG_S = 0.0005
"""A call that leaks a MiB takes so long for its page faults alone: after one it is looked at once."""
EVERY = 16
"""After so many shorter calls it is looked at again; reading costs 3 µs."""


class Growth:
    """What was used after each look, of `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._first = -1
        self._last = 0
        self._step = limit_bytes // 10

    def leaks_away(self, used_bytes: int) -> bool:
        """Whether it uses more than after its first call, and may not get through another such step.

        A handler that needs nearly all of its memory, but always the same, goes on for ever.
        """
        if self._first < 0:
            self._first = self._last = used_bytes
            return False
        self._step = max(self._step, used_bytes - self._last)
        self._last = used_bytes
        return used_bytes > self._first and used_bytes + self._step > self._limit


class Memory:
    """The private writable memory of this process beyond what it had as this was made."""

    def __init__(self) -> None:
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._page = resource.getpagesize()
        self._before = self._bytes()

    def used_bytes(self) -> int:
        """Now."""
        return self._bytes() - self._before

    def _bytes(self) -> int:
        return int(os.pread(self._statm, 256, 0).split()[5]) * self._page


class Watch:
    """Says once when the instance had better end: asked after each call."""

    def __init__(self, limit_bytes: int) -> None:
        self._memory = Memory()
        self._growth = Growth(limit_bytes)
        self._short = 0
        self.full = False
        """Whether it has been said: what comes now is for another instance."""

    def full_after(self, seconds: float) -> bool:
        """Whether a call of `seconds` has been the last."""
        self._short += 1
        if self.full or (seconds < LONG_S and self._short < EVERY):
            return False
        self._short = 0
        self.full = self._growth.leaks_away(self._memory.used_bytes())
        return self.full
