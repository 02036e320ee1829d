"""idle="auto" with real processes: instances stay, end, and are started ahead as the windows say."""

from __future__ import annotations

from edgefn_runtime.pool.keepalive import LearningKeeper
from edgefn_runtime.scheduling.keepalive import Windows
from tests.runtime.pool.bench import Bench, OnBench

PID = """
import os
@edge_function
def f() -> int:
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
"""


async def served_once(bench: Bench, windows: Windows, idle_s: float) -> LearningKeeper:
    """A function that has answered one request, with `windows` learnt."""
    await bench.deploy(PID, idle_s=idle_s, idle_auto=True)
    keeper = bench.supervisor.pool("f")._keeper
    assert isinstance(keeper, LearningKeeper)
    await bench.ask()
    await bench.until(lambda: not bench.supervisor.pool("f").busy, "the request is over")
    keeper.windows = windows
    keeper._idle_since = None  # the idle time begins anew, under these windows
    keeper._keep(windows.linger_s)
    bench.supervisor.pool("f").scale()
    keeper.settled()
    return keeper


def test_an_instance_is_started_before_the_request_that_is_due(on_bench: OnBench) -> None:
    """After 0.1 s none is left; after 0.5 s one is there that nobody asked for, and the next call is warm."""

    async def test(bench: Bench) -> None:
        keeper = await served_once(bench, Windows(0.1, 0.5, 15.0), idle_s=4.0)
        first = bench.pids()
        await bench.until(lambda: not bench.pids(), "the instance that served has ended")
        await bench.until(lambda: any(one.pid for one in bench.supervisor.pool("f").instances), "one is started ahead")
        await bench.until(lambda: bench.supervisor.pool("f").load().ready == 1, "it is ready")
        call = bench.submit()
        assert bench.answer(await call.future) not in first
        assert not call.cold
        assert bench.supervisor.pool("f").cold_starts == 1
        await bench.until(lambda: keeper.idle_times.samples == 1, "the idle time is learnt")
        assert keeper.limits.scale == (0, 4)

    on_bench(test)


def test_what_was_started_ahead_ends_when_nobody_comes(on_bench: OnBench) -> None:
    """The window passes without a request: no process is left, none is started again."""

    async def test(bench: Bench) -> None:
        keeper = await served_once(bench, Windows(0.05, 0.2, 0.2), idle_s=2.0)
        bench.figures.phases.clear()
        await bench.until(lambda: not {"fork", "wake"}.isdisjoint(bench.figures.phases), "one is started ahead")
        await bench.until(lambda: not bench.pids(), "it has ended")
        assert keeper._timer is None
        assert bench.supervisor.pool("f").requests == 1

    on_bench(test)


def test_stop_means_stop(on_bench: OnBench) -> None:
    """A function that was stopped is not started ahead."""

    async def test(bench: Bench) -> None:
        keeper = await served_once(bench, Windows(5.0, 10.0, 5.0), idle_s=100.0)
        assert keeper._timer is not None
        await bench.supervisor.stop_function("f")
        assert keeper._timer is None
        assert not bench.pids()

    on_bench(test)


def test_short_idle_times_are_not_learnt(on_bench: OnBench) -> None:
    """One request after the other: warm in any case, so the histogram stays empty and the most is kept."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, idle_s=600.0, idle_auto=True)
        pids = {await bench.ask() for _ in range(10)}
        keeper = bench.supervisor.pool("f")._keeper
        assert isinstance(keeper, LearningKeeper)
        assert (len(pids), keeper.idle_times.samples, keeper.limits.idle_s) == (1, 0, 600.0)

    on_bench(test)
