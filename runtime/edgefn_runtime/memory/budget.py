"""The memory budget: acts on the ledger. It counts what runs, admits what may start, and ends unused processes."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from edgefn.api.boxes import MemoryTotals
from edgefn.errors import DeploymentRefused, Unavailable
from edgefn.system import machine
from edgefn.text.quantities import format_bytes
from edgefn_runtime.calls.answers import AnswerMemory
from edgefn_runtime.memory.measurement import Measurements, MemoryFigures, Tenant, template_bytes
from edgefn_runtime.scheduling import ledger
from edgefn_runtime.scheduling.ledger import Account
from edgefn_runtime.scheduling.lifecycle import InstanceState
from edgefn_runtime.workers.instance import Instance

RETRY_S = 2
_END_S = 2.0


class NoRoom(Unavailable):
    """There is no memory for another process of the function now."""


class MemoryBudget:
    """The memory of one box. Its methods belong to the event loop.

    `answers` is the memory that unfinished answers may take of the box itself.
    """

    def __init__(
        self, budget_bytes: int, figures: MemoryFigures, available: Callable[[], int] = machine.available_bytes
    ) -> None:
        self.budget_bytes = budget_bytes
        self.answers = AnswerMemory()
        self.measurements = Measurements(figures)
        self._available = available
        self._tenants: weakref.WeakSet[Any] = weakref.WeakSet()
        self._granted: weakref.WeakSet[Instance] = weakref.WeakSet()
        self._turn = asyncio.Lock()

    # ── what is there ────────────────────────────────────────────────────────────────────────────────────────

    def enter(self, tenant: Tenant) -> None:
        """Count the processes of `tenant` as long as it lives."""
        self._tenants.add(tenant)
        tenant.launcher.template_bytes = self.measurements.of(tenant).template_bytes

    def account(self, tenant: Tenant) -> Account:
        """Return the ledger's account of `tenant` as of now."""
        taken, launcher, spec = self.measurements.of(tenant), tenant.launcher, tenant.spec
        there = [one for one in tenant.instances if one in self._granted]
        unused = sum(1 for one in there if one.state is InstanceState.READY and not one.calls)
        return Account(
            key=f"{spec.name}@{tenant.digest}#{id(tenant)}",
            template_bytes=template_bytes(tenant, taken),
            instance_bytes=spec.memory_bytes if taken.instance_bytes is None else taken.instance_bytes,
            template=launcher.has_template or launcher.making,
            instances=len(there),
            standalone=sum(one.standalone for one in there),
            spare=max(0, unused - spec.scale[0]),
            min_instances=spec.scale[0],
            used_at=tenant.used_at,
            reload_s=launcher.phases.get("template", 0.0),
        )

    def totals(self) -> MemoryTotals:
        """Return the ledger's totals for people, in bytes.

        They are what functions may take, what they are counted with, and what the machine has left.
        """
        committed = ledger.committed_bytes(map(self.account, self._tenants))
        return MemoryTotals(self.budget_bytes, committed, self._available())

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
