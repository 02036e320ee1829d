"""All functions of the box and their processes: the host of deployments, and the gateway's way to a pool."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec

from edgefn.api.boxes import MemoryTotals
from edgefn.api.functions import FunctionProcesses, InstanceInfo, MemoryAccount, TemplateInfo
from edgefn.errors import FunctionNotFound, InstanceLost
from edgefn.system import machine
from edgefn.system.cgroup_mounts import Place
from edgefn_runtime.cgroups.controlgroups import ControlGroups
from edgefn_runtime.cgroups.group_bounds import GroupBounds
from edgefn_runtime.memory.budget import MemoryBudget
from edgefn_runtime.memory.measurement import Forgetful
from edgefn_runtime.memory.trim import MemoryTrim
from edgefn_runtime.pool import batching
from edgefn_runtime.pool.pool import Meter, Pool
from edgefn_runtime.pool.starts import FallBack, no_other
from edgefn_runtime.pool.trial import ConfinedTrial
from edgefn_runtime.scheduling import ledger
from edgefn_runtime.scheduling.lifecycle import FunctionState
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.wire.messages import FinishRequest
from edgefn_runtime.workers import finisher
from edgefn_runtime.workers.child import become_subreaper
from edgefn_runtime.workers.finisher import Finisher
from edgefn_runtime.workers.isolation import NOTHING, Requirement
from edgefn_runtime.workers.launch import Launched
from edgefn_runtime.workers.launcher import InstanceLauncher, processes_each
from edgefn_runtime.workers.output import Output, Turn
from edgefn_runtime.workers.users import NoBook, Users, default_range
from edgefn_runtime.workers.zygote import Zygote

_log = logging.getLogger("edgefn.supervisor")


class FunctionLog(Protocol):
    """The log that a function's lines go to: the telemetry."""

    def write(self, function: str, line: str, *, stream: str = ..., pid: int = ..., id: str = ...) -> None: ...


class Meters(Protocol):
    """The counters: the telemetry."""

    def invocation(self, function: str, revision: str = ..., /) -> Meter: ...
    def cold_start(self, function: str, phase: str, seconds: float) -> None: ...


class Supervisor:
    """Owns every child process. `ensure_finished` re-makes a revision's finished artifacts when they are missing,
    `fall_back` returns a revision without an artifact that broke; `on_failing` is called for each function that fails.

    `places` are where it may make control groups; None finds those of this machine. `budget` is the functions' memory.
    """

    def __init__(
        self,
        logs: FunctionLog,
        metrics: Meters,
        ensure_finished: Callable[[Revision], Awaitable[object]],
        *,
        drain_s: float,
        places: Sequence[Place] | None = None,
        budget: MemoryBudget | None = None,
        fall_back: FallBack = no_other,
        on_failing: Callable[[str, str], None] = lambda name, reason: None,
        users: Users | None = None,
        requirement: Requirement = NOTHING,
    ) -> None:
        self._logs = logs
        self._metrics = metrics
        self._ensure_finished = ensure_finished
        self._fall_back = fall_back
        self._on_failing = on_failing
        self._drain_s = drain_s
        self._places = places
        self._groups = ControlGroups([])
        self._budget = budget or MemoryBudget(ledger.budget_bytes(machine.total_bytes()), Forgetful())
        self._users = users or Users(NoBook(), default_range(), str(os.getpid()))
        self._requirement = requirement
        self._zygote = Zygote(self._isolated, self._requirement)
        self._pools: dict[str, Pool] = {}
        self._prepared: dict[tuple[str, str], Pool] = {}
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed: dict[str, str] = {}
        self._outputs: dict[str, Output] = {}
        self._nurseries: dict[InstanceLauncher, str] = {}
        self._turn = Turn()
        self._memory_trim = MemoryTrim()

    def start(self, zygote: Launched | None = None) -> None:
        """Start the zygote, or use `zygote` where it is launched already; calls wait for it."""
        become_subreaper()
        self._groups = ControlGroups(self._places)
        self._zygote.start(zygote)

    async def stop(self) -> None:
        """Answer the accepted requests, within the drain time, and end every child process."""
        pools = [*self._pools.values(), *self._prepared.values()]
        await asyncio.gather(*(pool.close(self._drain_s) for pool in pools))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._budget.measurements.close()
        self._memory_trim.cancel()
        await self._zygote.stop()
        self._groups.close()

    @property
    def ready(self) -> bool:
        """Tell whether functions can be started."""
        return self._zygote.ready

    @property
    def isolation(self) -> dict[str, bool | str]:
        """Return True, or the reason why this machine does not enforce it, for each layer of isolation.

        {} until that is known.
        """
        return self._zygote.isolation and self._zygote.isolation | self._groups.enforced

    @property
    def missing(self) -> dict[str, str]:
        """Return the layers that this machine does not enforce, each with the reason.

        Layers that the operator does without are left out.
        """
        return self._requirement.missing(self.isolation)

    async def isolated(self) -> list[str]:
        """Return the warnings about missing layers for a deployment; wait until they are known.

        Raises DeploymentRefused where such layers are required.
        """
        await self._zygote.known()
        self._requirement.check(self.isolation)
        return [f"this box does not enforce {name} ({why})" for name, why in self.missing.items()]

    def _isolated(self) -> None:
        """Log the layers of isolation that are missing, once the zygote has found them out."""
        for name, why in self.missing.items():
            _log.warning("functions run without the isolation layer %s: %s", name, why)
        if refusal := self._requirement.refusal(self.isolation):
            _log.error("%s", refusal)

    # ── the gateway's side ───────────────────────────────────────────────────────────────────────────────────

    def names(self) -> list[str]:
        """Return the names of the deployed functions, sorted."""
        return sorted({*self._pools, *self._failed})

    def failed(self, name: str) -> str:
        """Return why `name`, which is deployed and has no pool, cannot be served; "" for any other name."""
        return self._failed.get(name, "")

    def find(self, name: str) -> Pool | None:
        """Return the pool that serves `name` now, or None. It is called once for each request."""
        return self._pools.get(name)

    def pool(self, name: str) -> Pool:
        """Return the pool that serves `name` now. Raises FunctionNotFound."""
        pool = self._pools.get(name)
        if pool is None:
            raise FunctionNotFound(f"no function {name!r} on this box; list its functions with `edgefn list`")
        return pool

    async def stop_function(self, name: str) -> None:
        """Stop the processes of `name`; the next request starts it. Raises FunctionNotFound."""
        await self.pool(name).stop()

    # ── the deployments' side (Host) ────────────────────────────────────────────────────────────────────────

    async def prepare(self, revision: Revision) -> None:
        """Start a template of `revision` that imports the handler and loads its models.

        Raises DeploymentRefused.
        """
        name = revision.config.function.name
        serving = self._pools.get(name)
        if serving is not None and serving.revision.digest == revision.digest:
            return
        pool = self._pool_of(revision)
        try:
            self._budget.check(pool, self._pools.values())
            await pool.prepare()
            self._budget.check(pool, self._pools.values())  # with what its template takes, which is known now
        except BaseException:
            await pool.close(0)
            raise
        self._prepared[name, revision.digest] = pool

    async def switch(self, name: str, revision: Revision) -> None:
        """Route new requests for `name` to `revision`; the one before answers its requests, then ends."""
        self._failed.pop(name, None)
        old = self._pools.get(name)
        pool = self._prepared.pop((name, revision.digest), None)
        if pool is None:
            if old is not None and old.revision.digest == revision.digest:
                if old.revision.served == revision.served:
                    old.revision = revision
                else:
                    old.replace(revision)
                old.forgive()
                return
            pool = self._pool_of(revision)
        self._pools[name] = pool
        self._budget.measurements.keep(pool)
        pool.scale()
        if old is not None:
            self._later(old.close(max(self._drain_s, old.spec.timeout_s)))

    async def move(self, name: str, revision: Revision) -> None:
        """Switch `name` to `revision` (same bundle, other artifacts) without delaying any request."""
        pool = self._pools.get(name)
        if pool is None or pool.revision.digest != revision.digest:
            return  # another one serves by now
        if pool.revision.served != revision.served:
            await pool.move(revision)

    async def ask(self, revision: Revision, questions: Sequence[bytes]) -> list[bytes]:
        """Send `questions` to a confined instance of `revision`, which serves no request; return its replies.

        See ConfinedTrial.ask.
        """
        launcher = self._nursery_of(revision, lambda phase, seconds: None)
        trial = ConfinedTrial(revision, launcher, self._budget)
        self._budget.enter(trial)
        return await trial.ask(questions)

    async def finish(self, request: FinishRequest, limit_s: float) -> bytes:
        """Finish an artifact in a confined process and return its proof; see Finisher.run."""
        bounded = msgspec.structs.replace(
            request,
            memory_bytes=min(request.memory_bytes, self._budget.budget_bytes),
            uid=self._uid_of(finisher.USER),
        )

        def start() -> Awaitable[bytes]:
            group = self._groups.group("finisher", finisher.PROCESSES)
            return Finisher(self._zygote, group, bounded).run(limit_s)

        try:
            return await start()
        except InstanceLost:  # the zygote died with the order in hand; the next one gets it
            return await start()

    def busy(self) -> bool:
        """Tell whether a request of any function is waiting for an instance."""
        return any(pool.load().waiting for pool in self._pools.values())

    def note(self, name: str, line: str) -> None:
        """Write `line` to the function's log."""
        self._logs.write(name, line, stream="box")

    async def discard(self, revision: Revision) -> None:
        """End the processes of a prepared revision that will not be switched to."""
        pool = self._prepared.pop((revision.config.function.name, revision.digest), None)
        if pool is not None:
            await pool.close(0)

    async def restart(self, name: str) -> None:
        """End the processes of `name` after they have answered; start others as they are wanted."""
        pool = self._pools.get(name)
        if pool is not None:
            await pool.stop()
            pool.scale()

    async def remove(self, name: str) -> None:
        """End the processes of `name`, and answer requests for it with 404."""
        self._failed.pop(name, None)
        pool = self._pools.pop(name, None)
        if pool is not None:
            await pool.close(self._drain_s)
        if name not in self._pools:
            self._outputs.pop(name, None)

    async def fail(self, name: str, reason: str) -> None:
        """Mark the deployed function `name` as failed, for `reason`; its status shows it."""
        self._failed[name] = reason

    def _pool_of(self, revision: Revision) -> Pool:
        name = revision.config.function.name

        def observe(phase: str, seconds: float) -> None:
            self._metrics.cold_start(name, phase, seconds)

        pool = Pool(
            revision,
            self._nursery_of(revision, observe),
            self._metrics.invocation(name, revision.digest),
            self._ensure_finished,
            self._on_parked,
            self._budget,
            self._fall_back,
        )
        self._budget.enter(pool)
        return pool

    def _nursery_of(self, revision: Revision, observe: Callable[[str, float], None]) -> InstanceLauncher:
        name = revision.config.function.name

        def note(line: str, trace: str) -> None:
            self._logs.write(name, f"{line}\n{trace}".rstrip(), stream="box")

        each = processes_each(revision)
        group = self._groups.group(name, each)
        bounds = GroupBounds(group, revision.config.function, self._budget.budget_bytes, each)
        launcher = InstanceLauncher(
            self._zygote, self._output_of(name), note, observe, group, bounds, self._uid_of(name)
        )
        launcher.on_failing = lambda reason: self._on_failing(name, reason)
        self._nurseries[launcher] = name
        launcher.on_end = functools.partial(self._nurseries.pop, launcher, None)
        return launcher

    def working(self) -> set[str]:
        """Return the functions that may have processes, deployed or not, and the finisher.

        Each of them has a user of its own.
        """
        return {finisher.USER, *self._nurseries.values()}

    def _uid_of(self, name: str) -> int:
        uid, is_new = self._users.uid_of(name)
        if is_new:
            self._later(asyncio.to_thread(self._users.keep, name, uid))
        return uid

    def _output_of(self, name: str) -> Output:
        """Return the output of `name`: one for all of its revisions and processes."""
        output = self._outputs.get(name)
        if output is None:

            def log(line: str) -> None:
                self._logs.write(name, line, stream="output")

            output = self._outputs[name] = Output(log, functools.partial(self.note, name), self._turn)
        return output

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ── memory ───────────────────────────────────────────────────────────────────────────────────────────────

    def _on_parked(self) -> None:
        """Tidy up soon: a function has no instance left. Its template stays until the ledger needs the memory."""
        self._memory_trim.soon()

    def _account(self, pool: Pool) -> MemoryAccount:
        """Return the memory accounted to the pool, and whether an instance was measured."""
        account = self._budget.account(pool)
        measured = self._budget.measurements.of(pool).instance_bytes is not None
        return MemoryAccount(account.template_bytes, account.instance_bytes, measured, account.held_bytes)

    # ── figures ──────────────────────────────────────────────────────────────────────────────────────────────

    def memory(self) -> MemoryTotals:
        """Return the functions' memory limit, the memory accounted to them, and the machine's free memory."""
        return self._budget.totals()

    def statuses(self) -> list[FunctionProcesses]:
        """Return the processes of every function; this wakes none."""
        return [self.status(name) for name in self.names()]

    def status(self, name: str) -> FunctionProcesses:
        """Return the processes and the traffic of `name`, without their `private_bytes`.

        Those are read elsewhere, in a thread. Raises FunctionNotFound.
        """
        failed = self._failed.get(name)
        if failed is not None and name not in self._pools:
            return FunctionProcesses(name=name, state=str(FunctionState.FAILED), reason=failed)
        pool = self.pool(name)
        now = asyncio.get_running_loop().time()
        template = pool.launcher.current
        return FunctionProcesses(
            name=name,
            state=str(FunctionState.FAILED if failed else pool.state),
            reason=failed or pool.reason,
            retry_after_s=pool.retry_after_s,
            instances=[
                InstanceInfo(
                    pid=instance.pid,
                    state=str(instance.state),
                    in_flight=len(instance.calls),
                    served=instance.served,
                    age_s=round(now - instance.started_at, 3),
                )
                for instance in pool.instances
            ],
            template=TemplateInfo(pid=template.pid) if template else None,
            queued=pool.load().waiting,
            requests=pool.requests,
            errors=pool.errors,
            cold_starts=pool.cold_starts,
            phases={f"{phase}_s": round(seconds, 6) for phase, seconds in pool.launcher.phases.items()},
            memory=self._account(pool),
            output=self._output_of(name).figures(),
            cores=pool.cores.figures(),
            batching=batching.figures(pool.revision.config.models, pool.instances),
            missing_isolation=self.missing,
        )
