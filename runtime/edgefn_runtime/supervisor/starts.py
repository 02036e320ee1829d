"""A pool's starts: instances brought to life, and how long a function that does not start is left alone."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from edgefn.errors import DeploymentRefused, EdgefnError, InstanceLost, Unavailable
from edgefn_runtime.scheduling.backoff import pause_s
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.supervisor.instance import Instance
from edgefn_runtime.supervisor.nursery import Nursery
from edgefn_runtime.supervisor.room import NoRoom

_log = logging.getLogger("edgefn.pool")


class Starter(Protocol):
    """Who is told how a start went: the pool."""

    revision: Revision

    def started(self, instance: Instance) -> None:
        """It is ready to serve."""

    def not_started(self, instance: Instance, error: EdgefnError, pause_s: float) -> None:
        """It is not; after `pause_s` seconds another may be tried, at once where that is 0."""


class Starts:
    """Owns the tasks of the starts under way, the count of failures in a row, and the reason of the last."""

    def __init__(
        self,
        name: str,
        nursery: Nursery,
        ensure_finished: Callable[[Revision], Awaitable[object]],
        pool: Starter,
        admit: Callable[[Instance | None], Awaitable[None]],
    ) -> None:
        self._name = name
        self._nursery = nursery
        self._ensure_finished = ensure_finished
        self._pool = pool
        self._admit = admit
        self._room_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._retry_at = 0.0
        self.reason = ""

    @property
    def failing(self) -> bool:
        """Whether the last start failed for a known reason."""
        return self._failures > 0 and bool(self.reason)

    def check(self, now: float) -> None:
        """Raises Unavailable while the function is left alone after a failed start."""
        if self._failures and now < self._retry_at:
            pause = max(1, math.ceil(self._retry_at - now))
            raise Unavailable(f"{self._name} does not start: {self.reason}", retry_after_s=pause)

    @property
    def held(self) -> bool:
        """Whether there was no memory for another instance a moment ago."""
        return time.monotonic() < self._room_at

    async def prepare(self) -> None:
        """A template is parked, where the revision may have one. Raises DeploymentRefused, Unavailable."""
        await self._ensure_finished(self._pool.revision)
        await self._admit(None)
        await self._nursery.template(self._pool.revision)

    def begin(self, instance: Instance) -> None:
        """`instance` is on its way; the pool hears how it went."""
        task = asyncio.get_running_loop().create_task(self._start(instance))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def served(self) -> None:
        """An instance has answered: what failed before is over."""
        self._failures = 0

    def died_unused(self) -> float:
        """An instance ended before it served anybody: the seconds to leave the function alone."""
        self._failures += 1
        return pause_s(self._failures)

    async def settle(self) -> None:
        """No start is under way."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def cancel(self) -> None:
        """No start is under way, and none that was has come to its end."""
        for task in self._tasks:
            task.cancel()
        await self.settle()

    async def _start(self, instance: Instance) -> None:
        try:
            await self._ensure_finished(self._pool.revision)
            await self._admit(instance)
            await self._nursery.bear(instance, self._pool.revision, alone=len(self._tasks) == 1)
        except NoRoom as error:
            self._room_at = time.monotonic() + error.retry_after_s
            self.reason = str(error)
            self._pool.not_started(instance, error, error.retry_after_s)
        except EdgefnError as error:
            self._failed(instance, error)
        except Exception as error:
            _log.exception("an instance of %s could not be started", self._name)
            self._failed(instance, Unavailable(f"{self._name} cannot be started: {error}"))
        else:
            self.reason = ""
            self._pool.started(instance)

    def _failed(self, instance: Instance, error: EdgefnError) -> None:
        self._failures += 1
        if isinstance(error, InstanceLost) and self._failures == 1:
            self._pool.not_started(instance, error, 0.0)  # killed from outside, most likely: once more at once
            return
        pause = pause_s(self._failures)
        self._retry_at = time.monotonic() + pause
        self.reason = str(error)
        self._nursery.note(str(error), error.trace if isinstance(error, DeploymentRefused) else "")
        self._pool.not_started(instance, error, pause)
