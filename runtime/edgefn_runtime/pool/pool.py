"""A revision's processes and its one queue: calls in, to an instance with room, scaled as they wait.

It acts on what `scheduling` decides. One queue for all instances: several would let calls pile up behind one of them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

from edgefn.errors import EdgefnError, InstanceLost, NotInTime, RetryLater, Unavailable
from edgefn_runtime.calls.artifact_errors import ArtifactBroken
from edgefn_runtime.calls.call import Call
from edgefn_runtime.memory.budget import MemoryBudget, NoRoom
from edgefn_runtime.pool.admission_control import AdmissionControl
from edgefn_runtime.pool.cores import Cores
from edgefn_runtime.pool.dispatcher import Dispatcher
from edgefn_runtime.pool.keepalive import keeper
from edgefn_runtime.pool.queue import Queue
from edgefn_runtime.pool.starts import FallBack, Starts, no_other
from edgefn_runtime.pool.timeouts import Timeouts
from edgefn_runtime.scheduling import autoscaler
from edgefn_runtime.scheduling.lifecycle import FunctionState, InstanceState, function_state
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.workers.instance import Instance
from edgefn_runtime.workers.launcher import InstanceLauncher

_FAILURES = frozenset({"error", "timeout", "lost"})


class Meter(Protocol):
    """The telemetry, which counts a revision's answers."""

    def observe(self, outcome: str, seconds: float, cold: bool) -> None: ...
    def rejected(self, reason: str) -> None: ...


class Pool:
    """Serves one revision of one function."""

    def __init__(
        self,
        revision: Revision,
        launcher: InstanceLauncher,
        meter: Meter,
        ensure_finished: Callable[[Revision], Awaitable[object]],
        on_parked: Callable[[], None],
        budget: MemoryBudget,
        fall_back: FallBack = no_other,
    ) -> None:
        self.revision = revision
        self.spec = revision.config.function
        self.launcher = launcher
        self._meter = meter
        self._on_parked = on_parked
        self._loop = asyncio.get_running_loop()
        self._waiting = Queue()
        self._dispatcher = Dispatcher(self.spec.concurrency, self.unseen)
        self._instances = self._dispatcher.members
        self._budget = budget
        self._admission = AdmissionControl(self.spec, self._waiting, self._instances, self._wanted, launcher, meter)
        self._timeouts = Timeouts(
            self.spec, self._waiting, self._dispatcher, self._admission, self._settled, self.scale
        )
        self._forecast = self._admission.forecast
        self._learn = self._forecast.service.add
        self._starts = Starts(
            *(self.spec.name, launcher, ensure_finished, self),
            admit=lambda one: budget.admit(self, one),
            fall_back=fall_back,
        )
        self._fall_back = fall_back
        self._check: asyncio.TimerHandle | None = None
        self._shunned: set[tuple[str, ...]] = set()
        self._empty = asyncio.Event()
        self._draining = False
        self.used_at = time.monotonic()
        self._keeper = keeper(self.spec, self)
        self.cores = Cores(self.spec)
        self.requests = self.errors = self.cold_starts = 0

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, call: Call) -> None:
        """Submit a call to an instance with room, or queue it; its future brings the answer.

        Raises QueueFull, NotInTime, or Unavailable while the function does not start or is being removed.
        """
        now = call.admitted = self.used_at = time.monotonic()
        bound_s = self.spec.timeout_s
        own = call.timeout_s < bound_s
        if own:
            bound_s = call.timeout_s
        call.deadline = now + bound_s
        crashing = self._starts.crashing
        instance = None if self._waiting else self._dispatcher.pick()
        try:
            if crashing:
                self._starts.admit(call, now)
            if instance is None:
                self._admit(call, now)
            elif own:
                self._admission.check_service(call)
        except RetryLater as refusal:
            self._admission.count(refusal)
            raise
        if crashing:
            self._starts.probe(call)
        self.requests += 1
        self._timeouts.begin(call, bound_s)
        if instance is None:
            call.cold = not any(one.state is InstanceState.READY for one in self._instances)
            self.cold_starts += call.cold
            self._waiting.push(call)
            self.scale()
        else:
            self._dispatcher.hand(instance, call)

    def _admit(self, call: Call, now: float) -> None:
        if self._draining:
            raise Unavailable(f"{self.spec.name} is being replaced on this box; try again")
        self._starts.check(now)
        self._admission.check_room(self._dispatcher.service.mean_s)
        try:
            self._admission.check_line(call)
        except NotInTime:
            self.scale(coming=1)  # for the next one, which may be this one again
            raise

    def cancel(self, call: Call) -> None:
        """Drop the call of a caller that has gone: remove it from the queue, or ignore its answer."""
        call.future.cancel()
        if self._waiting.remove(call):
            self._settled()

    def _dispatch(self) -> None:
        while self._waiting and (instance := self._dispatcher.pick()) is not None:
            call = self._waiting.pop()
            if call.future.done():
                continue
            try:
                self._admission.check_turn(call)
            except NotInTime as refusal:
                call.fail(refusal)
                self._admission.count(refusal)
            else:
                self._dispatcher.hand(instance, call)

    # ── Owner of instances ───────────────────────────────────────────────────────────────────────────────────

    def worked(self, seconds: float) -> None:
        self._dispatcher.service.add(seconds)
        self._learn(seconds)

    def unseen(self, calls: list[Call]) -> None:
        """Put calls that no handler has seen back into the queue, at their old places.

        A call whose time is up fails.
        """
        now = time.monotonic()
        for call in calls:
            call.instance = None
            if now >= call.deadline:
                call.fail(self._admission.not_reached(call))
            elif not call.future.done():
                self._waiting.push(call)
        self._dispatch()
        self.scale()

    def freed(self, instance: Instance) -> None:
        self._starts.served(instance)
        self._keeper.came()
        self.used_at = self._forecast.taught_at = instance.progress_at
        if instance.served == 1:
            self.launcher.phase("first_run", instance.first_run_s)
            self._budget.measurements.served(self, instance)
            self.launcher.start_is_over()
            if self._budget.has_room_for_template(self):
                self.launcher.follow(self.revision)
        if self._waiting:
            self._dispatch()
        if not instance.calls:
            self._settled()

    def answered_wrongly(self, artifact: str, reason: str) -> None:
        """Give no other call such an answer: calls now wait until other artifacts serve."""
        if artifact in self.revision.served:
            self._dispatcher.hold(self.revision.served)
            self._starts.answered_wrongly(artifact, reason)

    def ended(self, instance: Instance, unseen: list[Call]) -> None:
        if instance in self._instances:
            self._instances.remove(instance)
        self.launcher.release(instance)
        self.launcher.bounds.expect(len(self._instances))
        refusal = self._starts.crashed(instance.crash, instance.lost) if instance.crash else None
        if refusal is None:
            self._retry(unseen, blameless=bool(instance.lost))
        else:
            for call in unseen:
                self._waiting.push(call)
            self._refuse_all(refusal)
        self._settled()
        if not self._instances:
            self._on_parked()
        if instance.served or self._waiting:
            self.scale()
        elif not self._draining and self.spec.scale[0]:
            self._loop.call_later(self._starts.died_unused(), self.scale)  # do not spin on what cannot live

    def _retry(self, calls: list[Call], *, blameless: bool) -> None:
        """Serve elsewhere the calls that died with their instance before a handler saw them.

        Once, unless they are `blameless`: then another call was begun and lost each time, so it ends with those.
        """
        for call in calls:
            if call.retried and not blameless:
                call.fail(InstanceLost(f"two instances of {self.spec.name} ended before they began the request"))
            call.retried = call.retried or not blameless
        if calls:
            self.unseen(calls)

    # ── scale ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _limits(self) -> autoscaler.ScaleLimits:
        limits = self._keeper.limits
        return limits._replace(concurrency=self._dispatcher.share, scale=self.cores.within(limits.scale))

    def _wanted(self) -> int:
        return autoscaler.wanted(self.load(coming=1), self._limits)

    def load(self, coming: int = 0) -> autoscaler.Load:
        """Return the pool's load now, or with `coming` more calls that wait."""
        ready = [one for one in self._instances if one.state is InstanceState.READY]
        starting = sum(1 for one in self._instances if one.state is InstanceState.STARTING)
        return autoscaler.Load(
            waiting=len(self._waiting) + coming,
            in_flight=sum(len(one.calls) for one in ready),
            ready=len(ready),
            starting=starting,
            idle_since=[one.idle_since for one in ready if not one.calls],
        )

    def scale(self, coming: int = 0) -> None:
        """Start the instances that the load and `coming` more calls need; end those idle for too long."""
        load, now = self.load(coming), time.monotonic()
        if self._draining and not load.waiting:
            return
        self.cores.look(self._instances)
        for _ in range(0 if load.ready and self._starts.held else autoscaler.to_start(load, self._limits)):
            self._begin()
        self._renew_one()
        for instance in self._longest_idle(autoscaler.to_stop(load, self._keeper.limits, now)):
            instance.retire()
        self._schedule_check()

    def _begin(self) -> None:
        instance = Instance(self.spec.name, self, self._budget.answers)
        self._instances.append(instance)
        self.launcher.bounds.expect(len(self._instances))
        self._starts.begin(instance)

    def _longest_idle(self, count: int) -> list[Instance]:
        idle = [one for one in self._instances if one.state is InstanceState.READY and not one.calls]
        return sorted(idle, key=lambda one: one.idle_since)[:count]

    def _schedule_check(self) -> None:
        if self._check is not None:
            self._check.cancel()
            self._check = None
        when = autoscaler.next_check(self.load(), self._keeper.limits)
        if when is not None:
            self._check = self._loop.call_later(max(when - time.monotonic(), 0.001), self.scale)

    # ── other artifacts ──────────────────────────────────────────────────────────────────────────────────────

    async def move(self, revision: Revision) -> None:
        """Switch to `revision` (same bundle, other artifacts) without delaying or losing any request.

        Its template is loaded beside the old one, where there are processes. Raises DeploymentRefused, Unavailable.
        """
        while self._instances or self.launcher.has_template or self.launcher.making:
            try:
                await self.launcher.renew(revision)
            except ArtifactBroken as error:
                instead = await self._fall_back(revision, error.artifact, str(error))
                if instead is None or instead.served == self.revision.served:
                    return  # what serves goes on
                revision = instead
            else:
                await self._budget.measurements.measure_template(self)
                break
        self._take(revision)

    def replace(self, revision: Revision, *, crashing: bool = False) -> None:
        """Serve `revision` (same bundle, other artifacts) from the next start on, and drop the template.

        Instances with the old artifacts go on until then; where these are `crashing`, they get no other call.
        """
        self.launcher.drop()
        if crashing:
            self._shunned.add(self.revision.served)
        self._take(revision)
        for instance in filter(self._shuns, self._outdated()):
            instance.retire()

    def fallen(self) -> None:
        """Serve the calls that waited for other artifacts, now that these were found, or none."""
        self._dispatcher.wrong = None
        self._dispatch()
        if self._waiting:
            self.scale()

    def _shuns(self, instance: Instance) -> bool:
        return instance.serves in self._shunned and instance.serves != self.revision.served

    def _take(self, revision: Revision) -> None:
        self.revision = revision
        self._renew_one()

    def _outdated(self) -> list[Instance]:
        ready = [one for one in self._instances if one.state is InstanceState.READY]
        outdated = [one for one in ready if one.serves != self.revision.served]
        return sorted(outdated, key=lambda one: (bool(one.calls), one.idle_since))

    def _renew_one(self) -> None:
        """Start an instance with the current artifacts, while there are instances with others.

        One instance is replaced after the other.
        """
        if self._draining or self._starts.waits or not self._outdated():
            return
        if not any(one.state is InstanceState.STARTING for one in self._instances):
            self._begin()

    def _renewed(self, fresh: Instance) -> None:
        """Let one instance with other artifacts end after its calls, now that `fresh` is ready."""
        if fresh.serves == self.revision.served and (outdated := self._outdated()):
            outdated[0].retire()
            self._renew_one()

    # ── Starter ──────────────────────────────────────────────────────────────────────────────────────────────

    def started(self, instance: Instance) -> None:
        now = time.monotonic()
        for call in self._waiting:
            if not call.started:
                call.started = now
        if self._draining and not self._waiting:
            instance.retire()
            return
        if self._shuns(instance):
            instance.retire()
            self.scale()
            return
        self._dispatch()
        self.cores.began(instance)
        self._renewed(instance)
        self._settled()

    def not_started(self, instance: Instance, error: EdgefnError, pause_s: float) -> None:
        self._instances.remove(instance)
        self.launcher.bounds.expect(len(self._instances))
        if self._draining and not self._waiting:
            self._settled()
        elif pause_s == 0:
            self.scale()
        else:
            load = self.load()
            if not load.ready and not load.starting:
                self._refuse_all(
                    Unavailable(f"{self.spec.name} does not start: {error}", retry_after_s=math.ceil(pause_s))
                )
            if isinstance(error, NoRoom) and (outdated := self._outdated()):
                outdated[0].retire()  # what it holds is answered; then there is room for one with other artifacts
            self._settled()
            if self.spec.scale[0] or self._waiting:
                self._loop.call_later(pause_s, self.scale)

    def _refuse_all(self, refusal: RetryLater) -> None:
        while self._waiting:
            self._waiting.pop().fail(refusal)
            self._admission.count(refusal)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def prepare(self) -> None:
        """Park a template, and start the minimum of `scale`. Raises DeploymentRefused."""
        await self._starts.prepare()
        await self._budget.measurements.measure_template(self)
        self.scale()

    async def stop(self) -> None:
        """End every process: idle ones now, busy ones when they have answered. The next call starts it again."""
        self._starts.forget()
        self._refuse_all(Unavailable(f"{self.spec.name} was stopped on this box; the next request starts it"))
        leaving = list(self._instances)
        for instance in leaving:
            instance.retire()
        await self._starts.settle()
        for instance in list(self._instances):
            instance.retire()
        await asyncio.gather(*(instance.finish(self.spec.timeout_s) for instance in leaving))
        self._keeper.cancel()
        await self.launcher.close()

    async def close(self, drain_s: float) -> None:
        """Answer the admitted calls within `drain_s`, then end every process; admit no more calls."""
        self._draining = True
        if self._check is not None:
            self._check.cancel()
        self._dispatcher.close()
        self._settled()
        try:
            await asyncio.wait_for(self._empty.wait(), drain_s)
        except TimeoutError:
            self._refuse_all(Unavailable(f"{self.spec.name} is going away on this box; try again"))
        await self._starts.cancel()
        instances = list(self._instances)
        for instance in instances:
            instance.retire()
            if instance.calls:
                instance.kill()
        await asyncio.gather(*(instance.wait_ended() for instance in instances))
        self._keeper.cancel()
        await self.launcher.end()

    def _settled(self) -> None:
        """Check what the end of some work allows: a drain may be over, an instance may be idle."""
        self._keeper.settled()
        if self._draining and not self.busy:
            self._empty.set()
        elif not self._draining and self._check is None:
            self._schedule_check()

    # ── figures ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def busy(self) -> bool:
        return bool(self._waiting) or any(one.calls for one in self._instances)

    @property
    def parked(self) -> bool:
        return self.launcher.has_template and not self._instances and not self._waiting

    @property
    def digest(self) -> str:
        return self.revision.digest

    @property
    def reason(self) -> str:
        """Return why it is not served; "" when it is."""
        return self._starts.reason

    @property
    def retry_after_s(self) -> int | None:
        """Return the whole seconds until a failed function gets its next request; None while it is served."""
        return self._starts.retry_after_s

    def forgive(self) -> None:
        """Forget earlier failures, because the function was deployed again."""
        self._starts.forget()

    @property
    def instances(self) -> list[Instance]:
        return list(self._instances)

    @property
    def state(self) -> FunctionState:
        load = self.load()
        return function_state(
            ready=load.ready,
            starting=load.starting,
            template=self.launcher.has_template,
            failing=self._starts.failing,
            crashing=self._starts.crashing,
        )

    def answered(self, outcome: str, seconds: float, cold: bool) -> None:
        """Count a call that ended as `outcome` after `seconds`."""
        self.errors += outcome in _FAILURES
        self._meter.observe(outcome, seconds, cold)
