"""The keep-alive of a pool, as `scheduling.keepalive` decides it: measures idle times, sets limits, starts one ahead.

It owns the timer of the pre-warming and the limits by which the pool scales. It starts and ends nothing itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from edgefn.spec import FunctionSpec
from edgefn_runtime.scheduling.autoscaler import ScaleLimits
from edgefn_runtime.scheduling.keepalive import KeepAlive, Windows


class KeptPool(Protocol):
    """A pool whose instances are kept."""

    used_at: float

    @property
    def busy(self) -> bool:
        """Tell whether a request is inside."""

    def scale(self) -> None:
        """Start and end instances as `limits` asks."""


class Keeper:
    """A fixed `idle`: the limits stay those of the decorator."""

    def __init__(self, spec: FunctionSpec) -> None:
        self.limits = ScaleLimits(spec.scale, spec.concurrency, spec.idle_s)

    def came(self) -> None:
        """Record that the pool has had a request, admitted at its `used_at`."""

    def settled(self) -> None:
        """Record that work has ended in the pool; it may be idle now."""

    def cancel(self) -> None:
        """Cancel the planned start: nothing is started ahead until the next request."""


class LearningKeeper(Keeper):
    """`idle="auto"`: the limits follow the idle times.

    The pool reports a request when it ends and not when it comes, so that this costs the request no time. So an idle
    time is exact but for requests that come while the first one after it runs.
    """

    def __init__(self, spec: FunctionSpec, pool: KeptPool) -> None:
        super().__init__(spec)
        self._asked = self.limits
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self.idle_times = KeepAlive(spec.idle_s)
        self.windows: Windows = self.idle_times.decide()
        self._idle_since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def came(self) -> None:
        if self._idle_since is None or self._pool.used_at <= self._idle_since:
            return
        if self.idle_times.record(self._pool.used_at - self._idle_since):
            self.windows = self.idle_times.decide()
        self._idle_since = None
        self.cancel()
        self._keep(self.windows.linger_s)

    def settled(self) -> None:
        self.came()
        if self._idle_since is None and not self._pool.busy:
            self._idle_since = time.monotonic()
            if self.windows.prewarm_s:
                self._later(self.windows.prewarm_s, self._prewarm)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _prewarm(self) -> None:
        """Start one instance ahead, unless there is one, and keep it for the window."""
        low, high = self._asked.scale
        self._keep(self.windows.keep_s, scale=(max(1, low), high))
        self._later(self.windows.keep_s, self._missed)
        self._pool.scale()

    def _missed(self) -> None:
        """Let the instance that was started ahead end: no request came in the window."""
        self._timer = None
        self._keep(min(self.windows.linger_s, self.windows.keep_s))
        self._pool.scale()

    def _keep(self, idle_s: float, scale: tuple[int, int] | None = None) -> None:
        self.limits = self._asked._replace(idle_s=idle_s, scale=scale or self._asked.scale)

    def _later(self, seconds: float, act: Callable[[], None]) -> None:
        self.cancel()
        self._timer = self._loop.call_later(seconds, act)


def keeper(spec: FunctionSpec, pool: KeptPool) -> Keeper:
    """Make the keeper that `spec` asks for."""
    return LearningKeeper(spec, pool) if spec.idle_auto and spec.idle_s > 0 else Keeper(spec)
