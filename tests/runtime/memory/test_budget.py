"""Memory as the box gives it out: counted as measured, taken from who does not need it, refused with the figures."""

from __future__ import annotations

import asyncio

import pytest

from edgefn.errors import DeploymentRefused, Unavailable
from edgefn_runtime.memory.budget import MemoryBudget
from edgefn_runtime.memory.measurement import FIRST_LOOK_S, Forgetful
from tests.runtime.pool.bench import Bench, OnBench, alive

MIB = 2**20
HOLDS = """
held = bytearray(40 * 2**20)
@edge_function
def f(mebibytes: int) -> int:
    global own
    own = bytearray(mebibytes * 2**20)
    return len(own)
"""
HEAVY = """
import time
own = b""
@edge_function
def f(x: int) -> int:
    global own
    own = own or b"1" * (90 * 2**20)
    time.sleep(x)
    return x
"""
SLOW = """
import asyncio
@edge_function
async def f(x: int) -> int:
    await asyncio.sleep(x)
    return x
"""


class Notebook:
    """Figures that are kept as long as the test."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[int | None, int | None]] = {}

    def measured(self, digest: str) -> tuple[int | None, int | None]:
        return self.rows.get(digest, (None, None))

    def measure(self, digest: str, template_bytes: int | None, instance_bytes: int | None) -> None:
        self.rows[digest] = template_bytes, instance_bytes


def budget(mebibytes: int, figures: Notebook | None = None) -> MemoryBudget:
    return MemoryBudget(mebibytes * MIB, figures or Forgetful())


def test_what_a_function_takes_is_measured_and_kept(on_bench: OnBench) -> None:
    """The template at install, an instance when it has answered; both with the revision, for the next start."""
    figures = Notebook()

    async def test(bench: Bench) -> None:
        revision = await bench.deploy(HOLDS, memory_bytes=256 * MIB)
        before = bench.supervisor.status("f")["ledger"]
        assert 40 * MIB < before["template_bytes"] < 80 * MIB
        assert (before["instance_bytes"], before["measured"]) == (256 * MIB, False)
        await bench.ask(mebibytes=30)
        await bench.until(lambda: bench.supervisor.status("f")["ledger"]["measured"], "the instance was measured")
        after = bench.supervisor.status("f")["ledger"]
        assert 30 * MIB < after["instance_bytes"] < 60 * MIB
        await bench.template()
        after = bench.supervisor.status("f")["ledger"]
        # Twice what a template takes: the instance was one, and another is parked.
        assert after["held_bytes"] == 2 * after["template_bytes"] + after["instance_bytes"]
        kept = (after["template_bytes"], after["instance_bytes"])
        await bench.until(lambda: figures.rows.get(revision.digest) == kept, "it is kept")
        assert bench.supervisor.memory()["committed_bytes"] == after["held_bytes"]

    on_bench(test, budget=budget(1024, figures))
    assert FIRST_LOOK_S < 1


def test_a_deployment_that_can_never_fit_is_refused(on_bench: OnBench) -> None:
    """With the figures, what serves goes on, and at once: by its `memory`, or by what its template took."""

    async def test(bench: Bench) -> None:
        await bench.deploy(SLOW, memory_bytes=16 * MIB, scale=(1, 1))
        with pytest.raises(DeploymentRefused, match=r"f needs 314.6 MB .*the box has 134.2 MB for functions: lower"):
            await bench.deploy(SLOW, number=2, memory_bytes=300 * MIB)
        with pytest.raises(DeploymentRefused, match=r"g needs 115.3 MB .*, of which \d+.\d MB are kept for others"):
            await bench.deploy(SLOW, number=3, name="g", memory_bytes=110 * MIB)
        with pytest.raises(DeploymentRefused, match=r"h needs .* \(template \d+.\d MB \+ 1 × 83.9 MB for instances\)"):
            await bench.deploy(HOLDS, number=4, name="h", memory_bytes=80 * MIB)
        assert bench.supervisor.names() == ["f"]
        assert await bench.ask(x=0) == 0

    on_bench(test, budget=budget(128))


def test_a_template_that_eats_the_machine_is_refused(on_bench: OnBench) -> None:
    """It ends by itself in its group, at the budget, and the deployment says so."""

    async def test(bench: Bench) -> None:
        await bench.until(lambda: bench.supervisor.ready, "the zygote is ready")
        if bench.supervisor.isolation["memory"] is not True:
            pytest.skip(f"memory: {bench.supervisor.isolation['memory']}")
        with pytest.raises(DeploymentRefused, match="more memory than the box has for functions"):
            await bench.deploy("held = [bytearray(2**20) for _ in range(1024)]\n" + SLOW, memory_bytes=8 * MIB)

    on_bench(test, budget=budget(128))


def test_parked_templates_end_for_what_is_needed(on_bench: OnBench) -> None:
    """The function whose template ended answers all the same when it is called again."""

    async def test(bench: Bench) -> None:
        await bench.deploy(HOLDS, memory_bytes=48 * MIB)
        (parked,) = [bench.supervisor.status("f")["template"]["pid"]]
        await bench.deploy(SLOW, number=2, name="g", memory_bytes=64 * MIB)
        assert await bench.ask("g", x=0) == 0
        assert bench.supervisor.status("f")["template"] is None
        assert not alive(parked)
        assert "g needs the memory" in bench.logs
        await bench.until(lambda: bench.supervisor.status("g")["ledger"]["measured"], "g was measured")
        assert await bench.ask(mebibytes=1) == MIB

    on_bench(test, budget=budget(106))


def test_an_instance_without_work_ends_for_another_function(on_bench: OnBench) -> None:
    """Warm, but unused: it goes before somebody is refused."""

    async def test(bench: Bench) -> None:
        await bench.deploy(HOLDS, memory_bytes=96 * MIB)
        await bench.deploy(SLOW, number=2, name="g", memory_bytes=96 * MIB)
        assert await bench.ask(mebibytes=90) == 90 * MIB
        await bench.until(lambda: bench.supervisor.status("f")["ledger"]["measured"], "f was measured")
        (pid,) = bench.pids()
        assert await bench.ask("g", x=0) == 0
        assert not alive(pid)
        assert bench.pids() == []

    on_bench(test, budget=budget(180))


def test_without_room_calls_wait_for_the_instances_there_are(on_bench: OnBench) -> None:
    """No scale-out, and no refusal."""

    async def test(bench: Bench) -> None:
        await bench.deploy(HEAVY, memory_bytes=100 * MIB, scale=(0, 4))
        calls = [bench.submit(x=1) for _ in range(3)]
        assert [bench.answer(await asyncio.wait_for(call.future, 20)) for call in calls] == [1, 1, 1]
        assert len({call.instance.pid for call in calls if call.instance}) == 1

    on_bench(test, budget=budget(180))


def test_without_room_and_instances_a_call_is_refused_with_the_figures(on_bench: OnBench) -> None:
    """503 with Retry-After; the function that works is left alone, and there is room when it has done."""

    async def test(bench: Bench) -> None:
        await bench.deploy(SLOW, memory_bytes=100 * MIB)
        await bench.deploy(SLOW, number=2, name="g", memory_bytes=110 * MIB)
        busy = bench.submit(x=2)
        await bench.until(lambda: busy.instance is not None, "f works")
        with pytest.raises(Unavailable, match=r"g needs .* more memory, but of the box's 188.7 MB .* are taken") as no:
            await bench.ask("g", x=0)
        assert no.value.retry_after_s >= 1
        assert bench.answer(await busy.future) == 2
        assert await bench.ask("g", x=0) == 0

    on_bench(test, budget=budget(180))


def test_an_instance_that_started_alone_is_counted_with_what_it_loaded(on_bench: OnBench) -> None:
    """After scale to zero: it holds what a template would; the template follows only where both fit."""

    async def test(bench: Bench) -> None:
        await bench.deploy(HOLDS, memory_bytes=32 * MIB)
        await bench.ask(mebibytes=1)
        await bench.until(lambda: bench.supervisor.status("f")["ledger"]["measured"], "an instance was measured")
        await bench.supervisor.stop_function("f")
        assert bench.supervisor.memory()["committed_bytes"] == 0
        await bench.ask(mebibytes=1)
        counted = bench.supervisor.status("f")["ledger"]
        assert counted["held_bytes"] == counted["template_bytes"] + counted["instance_bytes"]
        await bench.ask(mebibytes=2)
        launcher = bench.supervisor.pool("f").launcher
        assert (launcher.has_template, launcher.making, launcher._following) == (False, False, None)
        assert bench.supervisor.memory()["committed_bytes"] <= 84 * MIB

    on_bench(test, budget=budget(84))
