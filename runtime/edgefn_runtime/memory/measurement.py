"""What templates and instances take of the memory, measured off the event loop and stored with the revision."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol

import msgspec

from edgefn.errors import EdgefnError
from edgefn.spec import FunctionSpec
from edgefn_runtime.scheduling import ledger
from edgefn_runtime.scheduling.lifecycle import InstanceState
from edgefn_runtime.workers.footprint import measure
from edgefn_runtime.workers.instance import Instance
from edgefn_runtime.workers.launcher import InstanceLauncher

FIRST_LOOK_S = 0.2
LOOK_AGAIN_S = 5.0
_WORTH_KEEPING = 1 / 8
_log = logging.getLogger("edgefn.memory")


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


class Measurements:
    """The memory that the box's revisions take. Its methods belong to the event loop."""

    def __init__(self, figures: MemoryFigures) -> None:
        self._figures = figures
        self._taken: dict[str, MeasuredMemory] = {}
        self._looks: dict[Instance, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def of(self, tenant: Tenant) -> MeasuredMemory:
        """Return what was ever measured of `tenant`'s revision on this box."""
        found = self._taken.get(tenant.digest)
        if found is None:
            kept = self._figures.measured(tenant.digest)
            found = self._taken[tenant.digest] = MeasuredMemory(*kept, kept)
        return found

    async def measure_template(self, tenant: Tenant) -> None:
        """Record what the template of `tenant`, just loaded, takes."""
        if (found := await tenant.launcher.measured()) is not None:
            self.of(tenant).template_bytes = found

    def served(self, tenant: Tenant, instance: Instance) -> None:
        """Schedule the first look at `instance`, which has answered its first call.

        It is measured soon, and again as long as it works.
        """
        self._look_later(tenant, instance, FIRST_LOOK_S)

    def keep(self, tenant: Tenant) -> None:
        """Write the measured figures to the disk soon, where they differ from those stored."""
        taken = self.of(tenant)
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
        taken = self.of(tenant)
        loaded = template_bytes(tenant, taken) if instance.standalone else 0
        taken.instance_bytes = ledger.learnt(taken.instance_bytes, max(0, found.peak_bytes - loaded))
        self.keep(tenant)
        self._look_later(tenant, instance, LOOK_AGAIN_S)

    def _spawn(self, work: Any) -> None:
        task = asyncio.ensure_future(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def template_bytes(tenant: Tenant, taken: MeasuredMemory) -> int:
    """Return the memory that the template of `tenant` takes; 0 where it has none, or it was not measured."""
    return (taken.template_bytes or 0) if tenant.launcher.fork_safe else 0


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
