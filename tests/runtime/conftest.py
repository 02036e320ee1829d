"""Runs a test's coroutine on a supervisor with real processes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import uvloop

from edgefn.system.cgroup_mounts import Place
from edgefn_runtime.memory.budget import MemoryBudget
from tests.runtime.pool.bench import Bench, OnBench, Test, children


@pytest.fixture
def on_bench(tmp_path: Path) -> OnBench:
    """A fresh bench for the test's coroutine; no process is left behind."""

    @contextlib.asynccontextmanager
    async def running(places: Sequence[Place] | None, budget: MemoryBudget | None) -> AsyncIterator[Bench]:
        bench = Bench(tmp_path, places, budget)
        before = children()
        bench.supervisor.start()
        try:
            yield bench
        finally:
            await bench.supervisor.stop()
            await bench.until(lambda: children() <= before, "the supervisor's children have ended")

    def run(test: Test, places: Sequence[Place] | None = None, budget: MemoryBudget | None = None) -> None:
        async def main() -> None:
            async with running(places, budget) as bench:
                await test(bench)

        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # the box's own loop
            runner.run(main())

    return run
