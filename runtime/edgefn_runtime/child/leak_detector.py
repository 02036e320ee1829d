"""Growth of an instance's memory from call to call, and when the instance should make room for a fresh one.

It looks at what the limit counts (RLIMIT_DATA). Pure, except for `PrivateMemory`, which reads it.
"""

from __future__ import annotations

import os
import resource

from edgefn_runtime.child.fork import heap

LONG_S = 0.0001
"""After so many seconds of calls it is looked at again: in that time a fast machine fills 2 MiB. Reading costs 3 µs."""
SLACK = 4 * 2**20
"""Memory that a call needs besides what it keeps; the heap grows by whole huge pages of 2 MiB."""
EVERY = 16
"""After so many calls, however short."""


class Growth:
    """The memory in use after each look, and the limit of `limit_bytes`."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._first = -1
        self._last = 0
        self._step = limit_bytes // 10
        self._slack = min(SLACK, limit_bytes // 16)

    def leaks_away(self, used_bytes: int) -> bool:
        """Tell whether the memory has grown since the first call, and another such step may exceed the limit.

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
        """Tell whether `leaks_away` would be true, without recording a look."""
        return 0 <= self._first < used_bytes and used_bytes + self._step_to(used_bytes) + self._slack > self._limit

    def _step_to(self, used_bytes: int) -> int:
        return max(self._step, used_bytes - self._last)


class PrivateMemory:
    """The private writable memory of this process, beyond what it had when its limit of `limit_bytes` was set.

    So whatever it has taken since then counts. Without a limit, counting begins now.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._page = resource.getpagesize()
        limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
        self._before = self._bytes() if limit == resource.RLIM_INFINITY else limit - limit_bytes

    def used_bytes(self) -> int:
        """Return the bytes in use now."""
        return self._bytes() - self._before

    def _bytes(self) -> int:
        return int(os.pread(self._statm, 256, 0).split()[5]) * self._page


class Watch:
    """A leak watch, asked after each call; it answers once that the instance should end."""

    def __init__(self, limit_bytes: int) -> None:
        self._memory = PrivateMemory(limit_bytes)
        self._growth = Growth(limit_bytes)
        self._calls = 0
        self._worked_s = 0.0
        self.full = False
        """Whether the leak was reported: later calls go to another instance."""

    def full_after(self, seconds: float) -> bool:
        """Tell whether the call that took `seconds` must be the instance's last."""
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
