"""A revision's processes and its one queue: calls in, to the least loaded instance with room, scaled as they wait.

It acts on what `scheduling` decides. One queue for all instances: several would let calls pile up behind one of them.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from edgefn.errors import (
    DeploymentRefused,
    EdgefnError,
    HandlerTimeout,
    InstanceLost,
    QueueFull,
    Unavailable,
)
from edgefn_runtime.scheduling import admission, autoscaler
from edgefn_runtime.scheduling.backoff import pause_s
from edgefn_runtime.scheduling.lifecycle import FunctionState, InstanceState, function_state
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.supervisor.call import Call
from edgefn_runtime.supervisor.instance import Instance
from edgefn_runtime.supervisor.nursery import Nursery

_FAILURES = frozenset({"error", "timeout", "lost"})
_log = logging.getLogger("edgefn.pool")


class Meter(Protocol):
    """Who counts a revision's answers: the telemetry."""

    def observe(self, outcome: str, seconds: float, cold: bool) -> None: ...


class Pool:
    """Serves one revision of one function."""

    def __init__(
        self,
        revision: Revision,
        nursery: Nursery,
        meter: Meter,
        ensure_finished: Callable[[Revision], Awaitable[object]],
        on_parked: Callable[[], None],
    ) -> None:
        self.revision = revision
        self.spec = revision.config.function
        self.nursery = nursery
        self._meter = meter
        self._ensure_finished = ensure_finished
        self._on_parked = on_parked
        self._loop = asyncio.get_running_loop()
        self._limits = autoscaler.Limits(self.spec.scale, self.spec.concurrency, self.spec.idle_s)
        self._waiting: deque[Call] = deque()
        self._instances: list[Instance] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._check: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()
        self._draining = False
        self._failures = 0
        self._retry_at = 0.0
        self.reason = ""
        self.used_at = self._loop.time()
        self._service_s = 0.05
        self.requests = self.errors = self.cold_starts = 0

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, call: Call) -> None:
        """The call is with an instance or in the queue; its future brings the answer.

        Raises QueueFull, or Unavailable while the function does not start or goes away.
        """
        now = call.admitted = self.used_at = self._loop.time()
        instance = self._free_instance()
        if instance is None:
            self._admit(call, now)
        self.requests += 1
        call.timer = self._loop.call_later(self.spec.timeout_s, self._timed_out, call)
        if instance is None:
            call.cold = not any(one.state is InstanceState.READY for one in self._instances)
            self.cold_starts += call.cold
            self._waiting.append(call)
            self.scale()
        else:
            instance.send(call)

    def _admit(self, call: Call, now: float) -> None:
        if self._draining:
            raise Unavailable(f"{self.spec.name} is being replaced on this box; try again")
        if self._failures and now < self._retry_at:
            pause = math.ceil(self._retry_at - now)
            raise Unavailable(f"{self.spec.name} does not start: {self.reason}", retry_after_s=max(1, pause))
        waiting, slots = len(self._waiting), self.spec.scale[1] * self.spec.concurrency
        inside = waiting + sum(len(instance.calls) for instance in self._instances)
        if not admission.admits(inside, slots, self.spec.queue):
            raise QueueFull(
                f"{self.spec.name} holds {inside} requests; it serves {slots} at once and lets {self.spec.queue} wait: "
                "try again later",
                retry_after_s=admission.retry_after_s(waiting, slots, self._service_s),
            )

    def cancel(self, call: Call) -> None:
        """The caller has gone: out of the queue, or its answer will be dropped."""
        call.future.cancel()
        if call.instance is None and call in self._waiting:
            self._waiting.remove(call)
            self._settled()

    def _timed_out(self, call: Call) -> None:
        seconds = f"{self.spec.timeout_s:g} s"
        if call.instance is None:
            if call in self._waiting:
                self._waiting.remove(call)
            call.fail(
                HandlerTimeout(
                    f"{self.spec.name} was not reached within its timeout of {seconds}: it is busy or starting"
                )
            )
            self._settled()
            return
        call.fail(
            HandlerTimeout(f"{self.spec.name} did not answer within its timeout of {seconds}; its instance is replaced")
        )
        call.instance.retire()
        self.scale()

    def _free_instance(self) -> Instance | None:
        best, least = None, self.spec.concurrency
        for instance in self._instances:
            if instance.state is InstanceState.READY and len(instance.calls) < least:
                best, least = instance, len(instance.calls)
        return best

    def _dispatch(self) -> None:
        while self._waiting and (instance := self._free_instance()) is not None:
            call = self._waiting.popleft()
            if not call.future.done():
                instance.send(call)

    # ── Owner of instances ───────────────────────────────────────────────────────────────────────────────────

    def freed(self, instance: Instance) -> None:
        self._failures = 0
        self.used_at = self._loop.time()
        if instance.served == 1:
            self.nursery.phase("first_run", instance.first_run_s)
        if self._waiting:
            self._dispatch()
        if not instance.calls:
            self._settled()

    def ended(self, instance: Instance) -> None:
        if instance in self._instances:
            self._instances.remove(instance)
        self._settled()
        if not self._instances:
            self._on_parked()
        if instance.served or self._waiting:
            self.scale()
        elif not self._draining and self.spec.scale[0]:
            self._failures += 1  # it served nobody: do not spin on a process that cannot live
            self._loop.call_later(pause_s(self._failures), self.scale)

    # ── scale ────────────────────────────────────────────────────────────────────────────────────────────────

    def load(self) -> autoscaler.Load:
        """The pool at this moment."""
        ready = [one for one in self._instances if one.state is InstanceState.READY]
        starting = sum(1 for one in self._instances if one.state is InstanceState.STARTING)
        return autoscaler.Load(
            waiting=len(self._waiting),
            in_flight=sum(len(one.calls) for one in ready),
            ready=len(ready),
            starting=starting,
            idle_since=[one.idle_since for one in ready if not one.calls],
        )

    def scale(self) -> None:
        """Starts what the load wants, ends what has been idle for too long."""
        load, now = self.load(), self._loop.time()
        if self._draining:
            return
        for _ in range(autoscaler.to_start(load, self._limits)):
            instance = Instance(self.spec.name, self)
            self._instances.append(instance)
            self._spawn_task(self._start(instance))
        for instance in self._longest_idle(autoscaler.to_stop(load, self._limits, now)):
            instance.retire()
        self._schedule_check()

    def _longest_idle(self, count: int) -> list[Instance]:
        idle = [one for one in self._instances if one.state is InstanceState.READY and not one.calls]
        return sorted(idle, key=lambda one: one.idle_since)[:count]

    def _schedule_check(self) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check = None
        when = autoscaler.next_check(self.load(), self._limits)
        if when is not None:
            self._check = self._loop.call_at(max(when, self._loop.time() + 0.001), self.scale)

    async def _start(self, instance: Instance) -> None:
        try:
            await self._ensure_finished(self.revision)
            await self.nursery.bear(instance, self.revision)
        except EdgefnError as error:
            self._start_failed(instance, error)
        except Exception as error:
            _log.exception("an instance of %s could not be started", self.spec.name)
            self._start_failed(instance, Unavailable(f"{self.spec.name} cannot be started: {error}"))
        else:
            self._started(instance)

    def _started(self, instance: Instance) -> None:
        now = self._loop.time()
        for call in self._waiting:
            if not call.started:
                call.started = now
        self.reason = ""
        if self._draining and not self._waiting:
            instance.retire()
            return
        self._dispatch()
        self._settled()

    def _start_failed(self, instance: Instance, error: EdgefnError) -> None:
        self._instances.remove(instance)
        if self._draining:
            self._settled()
            return
        self._failures += 1
        if isinstance(error, InstanceLost) and self._failures == 1:
            self.scale()  # killed from outside, most likely, with or without its template: once more at once
            return
        pause = pause_s(self._failures)
        self._retry_at = self._loop.time() + pause
        self.reason = str(error)
        self.nursery.note(str(error), error.trace if isinstance(error, DeploymentRefused) else "")
        if not any(one.state is InstanceState.READY for one in self._instances):
            refusal = Unavailable(f"{self.spec.name} does not start: {error}", retry_after_s=math.ceil(pause))
            while self._waiting:
                self._waiting.popleft().fail(refusal)
        self._settled()
        if self.spec.scale[0]:
            self._loop.call_later(pause, self.scale)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self) -> None:
        """A template is parked and the fewest instances of `scale` are on their way. Raises DeploymentRefused."""
        await self._ensure_finished(self.revision)
        await self.nursery.template(self.revision)
        self.scale()

    async def stop(self) -> None:
        """No process is left: idle ones end now, busy ones when they have answered. The next call starts it again."""
        for call in list(self._waiting):
            self._waiting.remove(call)
            call.fail(Unavailable(f"{self.spec.name} was stopped on this box; the next request starts it"))
        leaving = list(self._instances)
        for instance in leaving:
            instance.retire()
        await self._wait_for_starts()
        for instance in list(self._instances):
            instance.retire()
        await asyncio.gather(*(self._end(instance) for instance in leaving))
        await self.nursery.close()

    async def _end(self, instance: Instance) -> None:
        deadline = self._loop.time() + self.spec.timeout_s
        while instance.calls and self._loop.time() < deadline:
            held = [call.future for call in instance.calls.values() if not call.future.done()]
            if not held:
                break
            await asyncio.wait(held, timeout=deadline - self._loop.time())
            await asyncio.sleep(0)
        if instance.calls:
            instance.kill()
        await instance.wait_ended()

    async def close(self, drain_s: float) -> None:
        """What was let in is answered, within `drain_s`; then every process has ended and nothing more is let in."""
        self._draining = True
        if self._check is not None:
            self._check.cancel()
        self._settled()
        try:
            await asyncio.wait_for(self._empty.wait(), drain_s)
        except TimeoutError:
            for call in list(self._waiting):
                call.fail(Unavailable(f"{self.spec.name} is going away on this box; try again"))
            self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        instances = list(self._instances)
        for instance in instances:
            instance.retire()
            if instance.calls:
                instance.kill()
        await asyncio.gather(*(instance.wait_ended() for instance in instances))
        await self.nursery.close()

    async def _wait_for_starts(self) -> None:
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _settled(self) -> None:
        """Work has ended: a drain may be over, an instance may be idle."""
        if self._draining and not self._waiting and not any(one.calls for one in self._instances):
            self._empty.set()
        elif not self._draining and self._check is None:
            self._schedule_check()

    def _spawn_task(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ── figures ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def parked(self) -> bool:
        return self.nursery.has_template and not self._instances and not self._waiting

    @property
    def instances(self) -> list[Instance]:
        return list(self._instances)

    @property
    def state(self) -> FunctionState:
        load = self.load()
        return function_state(
            ready=load.ready,
            starting=load.starting,
            template=self.nursery.has_template,
            failing=self._failures > 0 and bool(self.reason),
        )

    def answered(self, outcome: str, seconds: float, cold: bool) -> None:
        """A call ended as `outcome` after `seconds`: it is counted, and the mean behind Retry-After follows."""
        self._service_s += 0.1 * (seconds - self._service_s)
        self.errors += outcome in _FAILURES
        self._meter.observe(outcome, seconds, cold)
