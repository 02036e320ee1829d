"""The memory budget: acts on the ledger. It counts what runs, admits what may start, and ends unused processes.

Measures what templates and instances take, off the event loop, and stores it with the revision.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import msgspec

from edgefn.errors import DeploymentRefused, EdgefnError, Unavailable
from edgefn.spec import FunctionSpec
from edgefn.system import machine
from edgefn.text.quantities import format_bytes
from edgefn_runtime.memory.footprint import measure
from edgefn_runtime.pool.answers import AnswerMemory
from edgefn_runtime.scheduling import ledger
from edgefn_runtime.scheduling.ledger import Account
from edgefn_runtime.scheduling.lifecycle import InstanceState
from edgefn_runtime.workers.instance import Instance
from edgefn_runtime.workers.launcher import InstanceLauncher

FIRST_LOOK_S = 0.2
LOOK_AGAIN_S = 5.0
RETRY_S = 2
_END_S = 2.0
_WORTH_KEEPING = 1 / 8
_log = logging.getLogger("edgefn.memory")


class NoRoom(Unavailable):
    """There is no memory for another process of the function now."""


class Tenant(Protocol):
    """A pool, whose processes are counted."""

    spec: FunctionSpec
    launcher: InstanceLauncher
    used_at: float

    @property
    def digest(self) -> str:
        """Return the digest of the revision that it serves."""

    @property
    def instances(self) -> list[Instance]: ...


class MemoryFigures(Protocol):
    """The database, which stores the measured figures with the revision."""

    def measured(self, digest: str) -> tuple[int | None, int | None]: ...
    def measure(self, digest: str, template_bytes: int | None, instance_bytes: int | None) -> None: ...


class Forgetful:
    """Figures that are stored nowhere."""

    def measured(self, digest: str) -> tuple[int | None, int | None]:
        return None, None

    def measure(self, digest: str, template_bytes: int | None, instance_bytes: int | None) -> None: ...


class MeasuredMemory(msgspec.Struct):
    """The memory that one revision takes, as far as it was measured, and which figures of it are stored."""

    template_bytes: int | None = None
    instance_bytes: int | None = None
    kept: tuple[int | None, int | None] = (None, None)


class MemoryBudget:
    """The memory of one box. Its methods belong to the event loop.

    `answers` is the memory that unfinished answers may take of the box itself.
    """

    def __init__(
        self, budget_bytes: int, figures: MemoryFigures, available: Callable[[], int] = machine.available_bytes
    ) -> None:
        self.budget_bytes = budget_bytes
        self.answers = AnswerMemory()
        self._figures = figures
        self._available = available
        self._tenants: weakref.WeakSet[Any] = weakref.WeakSet()
        self._granted: weakref.WeakSet[Instance] = weakref.WeakSet()
        self._taken: dict[str, MeasuredMemory] = {}
        self._turn = asyncio.Lock()
        self._looks: dict[Instance, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # ── what is there ────────────────────────────────────────────────────────────────────────────────────────

    def enter(self, tenant: Tenant) -> None:
        """Count the processes of `tenant` as long as it lives."""
        self._tenants.add(tenant)
        tenant.launcher.template_bytes = self.taken(tenant).template_bytes

    def taken(self, tenant: Tenant) -> MeasuredMemory:
        """Return what was ever measured of `tenant`'s revision on this box."""
        found = self._taken.get(tenant.digest)
        if found is None:
            kept = self._figures.measured(tenant.digest)
            found = self._taken[tenant.digest] = MeasuredMemory(*kept, kept)
        return found

    def account(self, tenant: Tenant) -> Account:
        """Return the ledger's account of `tenant` as of now."""
        taken, launcher, spec = self.taken(tenant), tenant.launcher, tenant.spec
        there = [one for one in tenant.instances if one in self._granted]
        unused = sum(1 for one in there if one.state is InstanceState.READY and not one.calls)
        return Account(
            key=f"{spec.name}@{tenant.digest}#{id(tenant)}",
            template_bytes=(taken.template_bytes or 0) if launcher.fork_safe else 0,
            instance_bytes=spec.memory_bytes if taken.instance_bytes is None else taken.instance_bytes,
            template=launcher.has_template or launcher.making,
            instances=len(there),
            alone=sum(one.alone for one in there),
            spare=max(0, unused - spec.scale[0]),
            fewest=spec.scale[0],
            used_at=tenant.used_at,
            reload_s=launcher.phases.get("template", 0.0),
        )

    def totals(self) -> dict[str, int]:
        """Return the ledger's totals for people, in bytes.

        They are what functions may take, what they are counted with, and what the machine has left.
        """
        committed = ledger.committed_bytes(map(self.account, self._tenants))
        return {
            "budget_bytes": self.budget_bytes,
            "committed_bytes": committed,
            "available_bytes": self._available(),
        }

    # ── what may start ───────────────────────────────────────────────────────────────────────────────────────

    async def admit(self, tenant: Tenant, instance: Instance | None = None) -> None:
        """Make room for the template of `tenant` and for `instance`, and count them from now on.

        Ends unused processes where it must. Raises NoRoom, with the figures.
        """
        async with self._turn:
            account = self.account(tenant)
            needed = 0 if account.template else account.template_bytes
            needed += account.instance_bytes if instance is not None else 0
            by_key = {found.key: (other, found) for other in self._tenants for found in [self.account(other)]}
            accounts = [found for _, found in by_key.values()]
            room = ledger.room_for(needed, account.key, accounts, self.budget_bytes, self._available())
            if not room.fits:
                raise self._no_room(tenant, needed, accounts)
            if room.templates or room.instances:
                await self._end(
                    [by_key[key][0] for key in room.templates], [by_key[key][0] for key in room.instances], tenant
                )
            if instance is not None:
                self._granted.add(instance)

    def has_room_for_instance(self, tenant: Tenant) -> bool:
        """Tell whether one more instance of `tenant`, which is optional, fits beside everything that runs."""
        account = self.account(tenant)
        accounts = [self.account(other) for other in self._tenants]
        needed = account.template_bytes + account.instance_bytes
        room = ledger.room_for(needed, account.key, accounts, self.budget_bytes, self._available())
        return room == ledger.Admission(True)

    def grant(self, instance: Instance) -> None:
        """Count `instance` from now on."""
        self._granted.add(instance)

    def has_room_for_template(self, tenant: Tenant) -> bool:
        """Tell whether a template of `tenant`, which is optional, fits beside everything that runs."""
        account = self.account(tenant)
        accounts = [self.account(other) for other in self._tenants]
        room = ledger.room_for(account.template_bytes, account.key, accounts, self.budget_bytes, self._available())
        return room == ledger.Admission(True)

    def check(self, tenant: Tenant, others: Iterable[Tenant]) -> None:
        """Check that `tenant` can run beside what the `others` keep.

        Raises DeploymentRefused, with the figures.
        """
        name = tenant.spec.name
        kept = [self.account(other) for other in others if other.spec.name != name]
        if why := ledger.refusal(self.account(tenant), kept, self.budget_bytes):
            raise DeploymentRefused(f"{name} {why}: lower `memory` or `scale`, remove a function, or use a larger box")

    async def _end(self, parked: list[Any], idle: list[Any], wanting: Tenant) -> None:
        for tenant in parked:
            tenant.launcher.note(f"the box ended its template: {wanting.spec.name} needs the memory", "")
            await tenant.launcher.close()
        ending: list[Instance] = []
        for tenant in idle:
            unused = [one for one in tenant.instances if one.state is InstanceState.READY and not one.calls]
            instance = min(unused, key=lambda one: one.idle_since, default=None)
            if instance is not None:
                instance.retire()
                ending.append(instance)
        if ending:
            await asyncio.wait([asyncio.ensure_future(one.wait_ended()) for one in ending], timeout=_END_S)

    def _no_room(self, tenant: Tenant, needed: int, accounts: Iterable[Account]) -> NoRoom:
        return NoRoom(
            f"{tenant.spec.name} needs {format_bytes(needed)} more memory, but "
            f"{format_bytes(ledger.committed_bytes(accounts))} of the box's {format_bytes(self.budget_bytes)} for "
            f"functions are taken and the machine has {format_bytes(self._available())} left: try again later",
            retry_after_s=RETRY_S,
        )

    # ── what they take ───────────────────────────────────────────────────────────────────────────────────────

    async def measure_template(self, tenant: Tenant) -> None:
        """Record what the template of `tenant`, just loaded, takes."""
        if (found := await tenant.launcher.measured()) is not None:
            self.taken(tenant).template_bytes = found

    def served(self, tenant: Tenant, instance: Instance) -> None:
        """Schedule the first look at `instance`, which has answered its first call.

        It is measured soon, and again as long as it works.
        """
        self._look_later(tenant, instance, FIRST_LOOK_S)

    def keep(self, tenant: Tenant) -> None:
        """Write the measured figures to the disk soon, where they differ from those stored."""
        taken = self.taken(tenant)
        now = (taken.template_bytes, taken.instance_bytes)
        if any(_differs(before, after) for before, after in zip(taken.kept, now, strict=True)):
            taken.kept = now
            self._spawn(asyncio.to_thread(self._figures.measure, tenant.digest, *now))

    async def close(self) -> None:
        """Stop measuring."""
        for look in self._looks.values():
            look.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _look_later(self, tenant: Tenant, instance: Instance, seconds: float) -> None:
        if (before := self._looks.pop(instance, None)) is not None:
            before.cancel()  # two of its calls were answered before it was looked at
        look = asyncio.get_running_loop().call_later(seconds, self._look, tenant, instance, instance.served)
        self._looks[instance] = look

    def _look(self, tenant: Tenant, instance: Instance, served: int) -> None:
        del self._looks[instance]
        if instance.state is not InstanceState.READY:
            return
        if instance.served == served > 1:
            self._look_later(tenant, instance, LOOK_AGAIN_S)  # it has not worked since
        else:
            self._spawn(self._measure(tenant, instance))

    async def _measure(self, tenant: Tenant, instance: Instance) -> None:
        found = await measure(instance.pid)
        if found is None or instance.state is not InstanceState.READY:
            return
        taken = self.taken(tenant)
        loaded = self.account(tenant).template_bytes if instance.alone else 0
        taken.instance_bytes = ledger.learnt(taken.instance_bytes, max(0, found.peak_bytes - loaded))
        self.keep(tenant)
        self._look_later(tenant, instance, LOOK_AGAIN_S)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _logged(work: Any) -> None:
    try:
        await work
    except (EdgefnError, OSError) as error:  # a full disk: the figures are measured again after the next start
        _log.warning("could not store the memory figures of a function: %s", error)
    except Exception:
        _log.exception("could not store the memory figures of a function")


def _differs(before: int | None, after: int | None) -> bool:
    """Tell whether the figure changed enough to be stored: by more than an eighth."""
    if before is None or after is None:
        return before is not after
    return abs(after - before) > before * _WORTH_KEEPING
