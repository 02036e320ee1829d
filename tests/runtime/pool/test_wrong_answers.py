"""An artifact that answers wrongly: who calls while another one is looked for waits for that one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from edgefn_runtime.store.revision import Revision
from edgefn_runtime.workers.template import Template
from tests.runtime.pool.bench import Bench, OnBench

SOURCE = """
import time
@edge_function
def f(sleep: float = 0.0) -> int:
    time.sleep(sleep)
    return {number}
"""


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], str]:
    """Each revision has one artifact, by its number."""
    monkeypatch.setattr(Revision, "served", property(lambda self: (f"artifact-{self.number}",)))
    monkeypatch.setattr(Template, "serves", property(lambda self: (f"artifact-{self._program.entry[1]}",)))
    return "artifact-{}".format


@pytest.mark.parametrize("other", [2, None], ids=["another", "none"])
@pytest.mark.parametrize("busy", [0, 3])
def test_nobody_else_gets_the_wrong_answer(
    on_bench: OnBench, named: Callable[[int], str], other: int | None, busy: int
) -> None:
    """Calls that came and were not begun, and those that come, are answered by the next, or as before without one."""

    async def test(bench: Bench) -> None:
        await bench.deploy(SOURCE.format(number=1), scale=(0, 1), queue=100)
        assert await bench.ask() == 1
        pool, found = bench.supervisor.pool("f"), asyncio.Event()

        async def fall_back(revision: Revision, artifact: str, reason: str) -> Revision | None:
            await found.wait()
            return bench.revision(SOURCE.format(number=other), number=other) if other else None

        pool._starts._fall_back = fall_back
        begun = [bench.submit(sleep=0.2)] if busy else []
        before = [bench.submit() for _ in range(busy)]
        await asyncio.sleep(0.05)
        for _ in range(2):
            pool.answered_wrongly(named(1), "another shape")
        pool.answered_wrongly("an artifact of nobody", "another shape")
        behind = [*before, *(bench.submit() for _ in range(5))]
        await asyncio.sleep(0.3)
        waited = not any(call.future.done() for call in behind)
        found.set()
        assert waited
        answers = [bench.answer(await asyncio.wait_for(call.future, 10)) for call in behind]
        assert answers == [other or 1] * len(behind)
        assert [bench.answer(await asyncio.wait_for(call.future, 10)) for call in begun] == [1] * len(begun), (
            "what was begun is not taken back"
        )

    on_bench(test)
