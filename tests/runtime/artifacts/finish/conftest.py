"""Fixtures of tests with real finishers: a disk that they see, and a supervisor that starts them."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
import uvloop

from edgefn_runtime.memory.budget import MemoryBudget
from edgefn_runtime.memory.measurement import Forgetful
from edgefn_runtime.store.disk import OsDisk
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.supervisor import Supervisor
from edgefn_runtime.wire.messages import FinishRequest
from tests.runtime.deployment.boxes import MemoryHost, StoreBox
from tests.runtime.pool.bench import Figures, Lines, children


class FinishingHost(MemoryHost):
    """A host in memory whose finishers are real."""

    def __init__(self, supervisor: Supervisor) -> None:
        super().__init__()
        self.supervisor = supervisor

    async def finish(self, request: FinishRequest, limit_s: float) -> bytes:
        return await self.supervisor.finish(request, limit_s)


Scenario: TypeAlias = Callable[[StoreBox], Awaitable[None]]
OnBox: TypeAlias = Callable[..., None]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder on the disk: what lies in /dev/shm no confined process sees."""
    with tempfile.TemporaryDirectory(prefix="edgefn-test-") as folder:
        Path(folder).chmod(0o700)
        yield Path(folder)


@pytest.fixture
def on_box(tmp_path: Path) -> OnBox:
    """Runs a scenario on a store box whose finishers are real; no process is left behind."""

    def run(scenario: Scenario, *, budget_bytes: int = 2**31) -> None:
        async def main() -> None:
            async with opened_with_finishers(tmp_path / "home", budget_bytes) as box:
                await scenario(box)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(main())

    return run


@contextlib.asynccontextmanager
async def opened_with_finishers(home: Path, budget_bytes: int) -> AsyncIterator[StoreBox]:
    """A store box at `home` whose finishers are real; no process is left behind."""

    async def nothing(revision: Revision) -> None:
        """No function is started here."""

    supervisor = Supervisor(*(Lines(), Figures(), nothing), drain_s=1.0, budget=MemoryBudget(budget_bytes, Forgetful()))
    before = children()
    supervisor.start()
    box = StoreBox(home, OsDisk(), None, None, host=FinishingHost(supervisor))
    try:
        await box.deployments.restore()
        await box.deployments.settled()
        yield box
    finally:
        await box.close()
        await supervisor.stop()
        assert children() <= before
