"""A pool's starts of instances, and the pauses of a function that does not start or whose instances die."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Protocol

from edgefn.errors import DeploymentRefused, EdgefnError, InstanceLost, Unavailable
from edgefn_runtime.calls.artifact_errors import ArtifactBroken
from edgefn_runtime.calls.call import Call
from edgefn_runtime.memory.budget import NoRoom
from edgefn_runtime.scheduling.backoff import pause_s
from edgefn_runtime.scheduling.crashes import Crashes
from edgefn_runtime.scheduling.failover import FALL_OVER
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.workers.instance import Instance
from edgefn_runtime.workers.launcher import InstanceLauncher

_log = logging.getLogger("edgefn.pool")


class Starter(Protocol):
    """The pool, which hears how a start went."""

    revision: Revision

    def started(self, instance: Instance) -> None:
        """Take the instance, which is ready to serve."""

    def not_started(self, instance: Instance, error: EdgefnError, pause_s: float) -> None:
        """Remove the instance, which did not start.

        Another may be tried after `pause_s` seconds, at once where that is 0.
        """

    def replace(self, revision: Revision, *, crashing: bool = False) -> None:
        """Serve `revision`, the same bundle with other artifacts, from now on.

        `crashing`: instances with the old artifacts crash.
        """

    def fallen(self) -> None:
        """Go on: other artifacts than the broken one were found, or none."""


FallBack = Callable[[Revision, str, str], Awaitable[Revision | None]]
"""(revision, path, reason) of a broken artifact; returns the revision that serves instead, or None."""


async def no_other(revision: Revision, artifact: str, reason: str) -> None:
    """Return None: there is no other artifact to fall back to."""


class Starts:
    """Owns the tasks of the starts under way, and counts the starts that failed and the crashes in a row."""

    def __init__(
        self,
        name: str,
        launcher: InstanceLauncher,
        ensure_finished: Callable[[Revision], Awaitable[object]],
        pool: Starter,
        admit: Callable[[Instance | None], Awaitable[None]],
        fall_back: FallBack,
    ) -> None:
        self._name = name
        self._launcher = launcher
        self._ensure_finished = ensure_finished
        self._pool = pool
        self._admit = admit
        self._fall_back = fall_back
        self._room_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._failover: asyncio.Task[None] | None = None
        self._failures = self._falls = 0
        self._retry_at = self._failed_at = 0.0
        self._crashes = Crashes()
        self._start_error = ""

    @property
    def failing(self) -> bool:
        """Tell whether the last start failed for a known reason."""
        return self._failures > 0 and bool(self._start_error)

    @property
    def crashing(self) -> bool:
        """Tell whether instances start but end in a row while they serve; each call then asks `admit`."""
        return self._crashes.failing

    @property
    def reason(self) -> str:
        """Return why the function is not served, or the error of the last start; "" when all is well."""
        if not self.crashing:
            return self._start_error
        return (
            f"its instances ended {self._crashes.in_a_row} times in a row while serving, the last one "
            f"{self._crashes.how}; see `edgefn logs {self._name}`"
        )

    @property
    def retry_after_s(self) -> int | None:
        """Return the whole seconds until a request is let in; None while they all are."""
        now = time.monotonic()
        if self.crashing:
            return self._crashes.retry_after_s(now)
        return max(1, math.ceil(self._retry_at - now)) if self.failing else None

    def forget(self) -> None:
        """Forget earlier failures, because a person stopped the function or deployed it again."""
        self._failures, self._falls, self._start_error = 0, 0, ""
        self._crashes.answered()

    # ── crashes ──────────────────────────────────────────────────────────────────────────────────────────────

    def admit(self, call: Call, now: float) -> None:
        """Raise Unavailable for every call but one after each pause, while instances end in a row.

        That one is not a call that was lost in an earlier crash, as long as any other comes.
        """
        mark = call.mark() if self._crashes.admits(now) else b""
        if not self._crashes.admits(now, mark):
            raise self._refusal(now, mark)

    def probe(self, call: Call) -> None:
        """Use `call`, which was let in, to see whether the function can be served again."""
        self._crashes.probe()
        call.future.add_done_callback(lambda _: self._crashes.probe_ended())

    def crashed(self, how: str, lost: Sequence[Call]) -> Unavailable | None:
        """Record that an instance ended by itself while it served `lost`.

        Returns the error for the waiting calls; None where the next ones are served.
        """
        now = time.monotonic()
        was_crashing = self.crashing
        self._crashes.crashed(how, now, [call.mark() for call in lost])
        if self._crashes.in_a_row >= FALL_OVER:
            self._fall(self._fall_over(how))
        if not self.crashing:
            return None
        refusal = self._refusal(now)
        if not was_crashing:
            self._launcher.on_failing(self.reason)
        self._launcher.note(f"{refusal}; requests are refused for {refusal.retry_after_s} s, then one is tried", "")
        return refusal

    def _refusal(self, now: float, mark: bytes = b"") -> Unavailable:
        return Unavailable(f"{self._name} fails: {self.reason}", retry_after_s=self._crashes.retry_after_s(now, mark))

    # ── starts ───────────────────────────────────────────────────────────────────────────────────────────────

    def check(self, now: float) -> None:
        """Raise Unavailable during the pause after a failed start."""
        if self._failures and now < self._retry_at:
            pause = max(1, math.ceil(self._retry_at - now))
            raise Unavailable(f"{self._name} does not start: {self._start_error}", retry_after_s=pause)

    @property
    def waits(self) -> bool:
        """Tell whether a start that no call waits for should come later, because the last ones failed."""
        return self.held or self.crashing or (self._failures > 0 and time.monotonic() < self._retry_at)

    @property
    def held(self) -> bool:
        """Tell whether there was no memory for another instance a moment ago."""
        return time.monotonic() < self._room_at

    async def prepare(self) -> None:
        """Park a template, where the revision may have one. Raises DeploymentRefused, Unavailable."""
        await self._ensure_finished(self._pool.revision)
        await self._admit(None)
        while True:
            try:
                await self._launcher.template(lambda: self._pool.revision)
            except ArtifactBroken as error:
                if not self._may_fall() or not await self._has_fallen_back(error):
                    raise
            else:
                return

    def begin(self, instance: Instance) -> None:
        """Start `instance` in a task; the pool hears how it went."""
        task = asyncio.get_running_loop().create_task(self._start(instance))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def served(self, instance: Instance) -> None:
        """Forget earlier failed starts, because `instance` has answered.

        Crashes are forgotten, too, where a handler came to its end.
        """
        self._failures = self._falls = 0
        if instance.handled and self._crashes.in_a_row:
            if self.crashing:
                self._launcher.note(f"{self._name} answers again", "")
            self._crashes.answered()

    def died_unused(self) -> float:
        """Count an instance that ended before it served any call; return the seconds to pause."""
        self._failures += 1
        return pause_s(self._failures)

    async def settle(self) -> None:
        """Wait until no start is under way."""
        failover = [self._failover] if self._failover is not None else []
        await asyncio.gather(*self._tasks, *failover, return_exceptions=True)

    async def cancel(self) -> None:
        """Cancel the starts under way, and wait until none is left."""
        for task in self._tasks:
            task.cancel()
        await self.settle()

    async def _start(self, instance: Instance) -> None:
        try:
            if self._failover is not None:
                await asyncio.shield(self._failover)  # with what serves then
            await self._ensure_finished(self._pool.revision)
            await self._admit(instance)
            await self._launcher.launch(instance, lambda: self._pool.revision, only_start=len(self._tasks) == 1)
        except NoRoom as error:
            self._room_at = time.monotonic() + error.retry_after_s
            self._start_error = str(error)
            self._pool.not_started(instance, error, error.retry_after_s)
        except ArtifactBroken as error:
            if self._may_fall() and await self._has_fallen_back(error):
                self._pool.not_started(instance, error, 0.0)  # whoever waits is served by what takes over
            else:
                self._failed(instance, error)
        except EdgefnError as error:
            self._failed(instance, error)
        except Exception as error:
            _log.exception("could not start an instance of %s", self._name)
            self._failed(instance, Unavailable(f"{self._name} cannot be started: {error}"))
        else:
            self._start_error = ""
            self._pool.started(instance)

    def _may_fall(self) -> bool:
        """Tell whether another artifact may be tried at once.

        Each of the bundle is tried once before an instance serves, and no more.
        """
        self._falls += 1
        return self._falls <= len(self._pool.revision.artifacts) + 1

    async def _has_fallen_back(self, error: ArtifactBroken) -> bool:
        """Find another artifact in place of the broken one; tell whether one serves.

        It may serve since now, or since another start found it.
        """
        revision = self._pool.revision
        if error.artifact in revision.served:
            instead = await self._fall_back(revision, error.artifact, str(error))
            if instead is None:
                return False
            if self._pool.revision is revision:
                self._pool.replace(instead)
        return True

    def answered_wrongly(self, artifact: str, reason: str) -> None:
        """Serve with other artifacts soon, where there are any: an answer of this one has a wrong shape."""
        self._fall(self._fall_from(artifact, reason))

    def _fall(self, work: Coroutine[None, None, object]) -> None:
        """Let `work` find other artifacts to serve in a task. One at a time.

        It reads files, so the event loop must go on.
        """
        if self._failover is not None:
            work.close()
            return
        self._failover = asyncio.get_running_loop().create_task(self._end_of(work))

    async def _end_of(self, work: Coroutine[None, None, object]) -> None:
        try:
            await work
        except Exception:
            _log.exception("could not choose other artifacts for %s", self._name)
        finally:
            self._failover = None
            self._pool.fallen()

    async def _fall_over(self, how: str) -> None:
        """Serve with other artifacts, because instances with these ended in a row."""
        reason = f"its instances ended {self._crashes.in_a_row} times in a row while serving, the last one {how}"
        fallen = [await self._fall_from(artifact, reason) for artifact in self._pool.revision.served]
        if any(fallen):
            self._crashes.answered()

    async def _fall_from(self, artifact: str, reason: str) -> bool:
        """Replace the broken `artifact`; tell whether another serves now."""
        revision = self._pool.revision
        instead = await self._fall_back(revision, artifact, reason)
        if instead is None or self._pool.revision is not revision:
            return False
        self._pool.replace(instead, crashing=True)
        return True

    def _failed(self, instance: Instance, error: EdgefnError) -> None:
        if instance.started_at > self._failed_at:  # else it was on its way at the last failure: the same misfortune
            self._failures += 1
            self._failed_at = time.monotonic()
        if isinstance(error, InstanceLost) and self._failures == 1:
            self._pool.not_started(instance, error, 0.0)  # killed from outside, most likely: once more at once
            return
        pause = pause_s(self._failures)
        self._retry_at = time.monotonic() + pause
        if not self.failing or self._start_error != str(error):
            self._launcher.on_failing(str(error))
        self._start_error = str(error)
        self._launcher.note(str(error), error.trace if isinstance(error, DeploymentRefused) else "")
        self._pool.not_started(instance, error, pause)
