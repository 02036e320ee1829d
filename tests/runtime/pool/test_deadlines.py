"""Deadlines with real processes: who is served first, who is refused at once, who is dropped, and what it costs."""

from __future__ import annotations

import asyncio
import time

import pytest

from edgefn.errors import HandlerTimeout, NotInTime, QueueFull
from edgefn_runtime.calls.call import LATE_S, Call
from edgefn_runtime.scheduling.deadlines import ENOUGH
from edgefn_runtime.scheduling.lifecycle import FunctionState
from tests.runtime.pool.bench import Bench, OnBench

COUNT = """
import os, time
served = 0
@edge_function
def f(sleep: float = 0.0, pid: bool = False) -> int:
    global served
    served += 1
    time.sleep(sleep)
    return (os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()) if pid else served
"""


async def busy(bench: Bench, sleep: float) -> Call:
    """A call that the only instance's handler has begun."""
    held = bench.submit(sleep=sleep)
    await bench.until(lambda: bool(held.instance and held.instance.has_begun(held)), "the handler has the call")
    return held


async def until(bench: Bench, moment: float) -> None:
    """The monotonic clock shows `moment`."""
    await bench.until(lambda: time.monotonic() >= moment, "the next call is due")


def test_the_earliest_deadline_is_served_first(on_bench: OnBench) -> None:
    """Three calls wait behind a running one: the most impatient comes first, of equals the first to come."""

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1), timeout_s=60.0)
        assert await bench.ask() == 1
        held = await busy(bench, 0.5)
        calls = [bench.submit(bound) for bound in (60.0, 40.0, 20.0, 40.0, 1000.0)]
        assert bench.answer(await held.future) == 2
        assert [bench.answer(await call.future) for call in calls] == [6, 4, 3, 5, 7]

    on_bench(test)


@pytest.mark.parametrize("bound_s", [LATE_S / 2, 4 * LATE_S])
def test_expired_deadline_is_dropped_before_compute(on_bench: OnBench, bound_s: float) -> None:
    """A call whose caller's time is up in the queue fails then, and is never served; the message names its bound."""

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1))
        assert await bench.ask() == 1
        held = await busy(bench, 1.0)
        with pytest.raises(HandlerTimeout, match=rf"was not reached within the {bound_s:g} s of its X-Request-Timeout"):
            await bench.submit(bound_s).future
        assert not held.future.done()
        assert bench.supervisor.status("f")["queued"] == 0
        assert bench.answer(await held.future) == 2
        assert await bench.ask() == 3

    on_bench(test)


def test_a_caller_may_not_wait_longer_than_the_function_allows(on_bench: OnBench) -> None:
    """X-Request-Timeout above the function's timeout changes nothing, and the message names the timeout."""

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1), timeout_s=0.3)
        await bench.ask()
        with pytest.raises(HandlerTimeout, match=r"within its timeout of 0\.3 s; its instance is replaced"):
            await bench.submit(100.0, sleep=60.0).future

    on_bench(test)


def test_an_impatient_caller_does_not_cost_the_instance(on_bench: OnBench) -> None:
    """The caller's bound is over and the handler runs: 504, and the same process serves on when it is through."""

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1))
        pid = await bench.ask(pid=True)
        with pytest.raises(HandlerTimeout, match=r"within the 0\.2 s of its X-Request-Timeout; .* left to finish"):
            await bench.submit(0.2, sleep=0.6).future
        assert await bench.ask(pid=True) == pid

    on_bench(test)


def test_a_handler_that_hangs_is_replaced_however_impatient_its_caller_was(on_bench: OnBench) -> None:
    """The caller has its 504 at its own bound; at the function's timeout the instance goes."""

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1), timeout_s=2.0)
        pid = await bench.ask(pid=True)
        hung = bench.submit(0.2, sleep=60.0)
        with pytest.raises(HandlerTimeout, match="X-Request-Timeout"):
            await hung.future
        assert bench.pids() == [pid]
        await bench.until(lambda: pid not in bench.pids(), "the hung instance has gone")
        assert time.monotonic() - hung.admitted >= 1.9
        assert await bench.ask(pid=True) != pid

    on_bench(test)


def test_what_cannot_be_done_in_time_is_refused_at_once(on_bench: OnBench) -> None:
    """Calls take 0.2 s: a caller with 0.02 s is refused before anything is done, one with more time is served."""

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1))
        for _ in range(ENOUGH):
            await bench.ask(sleep=0.2)
        with pytest.raises(NotInTime, match=r"after 0\.\d+ s .* not within the 0\.02 s of its X-Request") as refused:
            bench.submit(0.02)
        assert refused.value.retry_after_s == 1
        assert bench.figures.reasons == ["deadline"]
        assert bench.answer(await bench.submit(5.0).future) == ENOUGH + 1

    on_bench(test)


def test_nobody_is_refused_by_what_was_not_learnt(on_bench: OnBench) -> None:
    """One slow call teaches nothing yet: the next caller, who has less time than that one took, is served."""

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1))
        await bench.ask(sleep=1.0)
        assert bench.answer(await bench.submit(0.7).future) == 2

    on_bench(test)


def test_a_line_that_is_too_long_for_the_timeout_is_refused(on_bench: OnBench) -> None:
    """Calls of 0.2 s and a timeout of 1 s: of twenty at once the last are refused, and the first are served."""

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1), timeout_s=1.0)
        for _ in range(ENOUGH):
            await bench.ask(sleep=0.2)
        calls, refused = [], []
        for _ in range(20):
            try:
                calls.append(bench.submit(sleep=0.2))
            except NotInTime as error:
                refused.append(error)
        assert 1 <= len(calls) <= 8
        assert "within its timeout of 1 s: try again later" in str(refused[0])
        assert all(error.retry_after_s == 1 for error in refused)
        answered = await asyncio.gather(*(call.future for call in calls), return_exceptions=True)
        assert not isinstance(answered[0], BaseException)

    on_bench(test)


def test_who_has_no_time_for_a_cold_start_is_refused_and_causes_one(on_bench: OnBench) -> None:
    """By the starts before, which took 0.4 s; the next caller finds an instance."""
    source = f"import time\ntime.sleep(0.4)\n{COUNT}"

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        for _ in range(ENOUGH):
            await bench.ask()
        for _ in range(2):
            await bench.supervisor.stop_function("f")
            await bench.ask()
        await bench.supervisor.stop_function("f")
        with pytest.raises(NotInTime) as refused:
            bench.submit(0.1)
        assert refused.value.retry_after_s == 1
        await bench.until(lambda: bench.supervisor.pool("f").state is FunctionState.SERVING, "an instance is ready")
        next_one = bench.submit()
        await next_one.future
        assert not next_one.cold

    on_bench(test)


def test_a_full_queue_says_how_long_what_waits_will_take(on_bench: OnBench) -> None:
    """Five calls of 0.5 s wait behind a running one: three seconds, and more on a busy machine."""

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1), queue=5, timeout_s=60.0)
        for _ in range(ENOUGH):
            await bench.ask(sleep=0.5)
        inside = [bench.submit(sleep=0.5) for _ in range(6)]
        with pytest.raises(QueueFull) as refused:
            bench.submit()
        assert 3 <= refused.value.retry_after_s <= 20
        assert bench.figures.reasons == ["queue"]
        for call in inside:
            bench.supervisor.pool("f").cancel(call)

    on_bench(test)


def test_a_full_queue_before_a_cold_start_counts_the_start(on_bench: OnBench) -> None:
    """Starts took seven seconds until now and no instance is ready: whoever finds no place comes again after that."""

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1), queue=0)
        pool = bench.supervisor.pool("f")
        for _ in range(2):
            pool.launcher.start_time.add(7.0, parked=True)
        waiting = bench.submit()
        with pytest.raises(QueueFull) as refused:
            bench.submit()
        assert 5 <= refused.value.retry_after_s <= 8
        assert bench.answer(await waiting.future) == 1

    on_bench(test)


def test_twice_what_can_be_served_is_half_served(on_bench: OnBench) -> None:
    """Under overload an instance gets the calls that it can still answer, and is not spent on those just too late.

    Ninety could be served. Served in order of arrival each call begins as its time runs out: ten are answered, and an
    instance is replaced for each of the others.
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(COUNT, scale=(0, 1), timeout_s=0.5)
        for _ in range(ENOUGH):
            await bench.ask(sleep=0.04)
        began, calls, refused = time.monotonic(), [], 0
        for number in range(180):
            await until(bench, began + 0.02 * number)
            try:
                calls.append(bench.submit(sleep=0.04))
            except NotInTime:
                refused += 1
        ends = await asyncio.gather(*(call.future for call in calls), return_exceptions=True)
        answered = sum(not isinstance(end, BaseException) for end in ends)
        begun_in_vain = sum(isinstance(end, HandlerTimeout) and "did not answer" in str(end) for end in ends)
        assert answered >= 30
        assert refused + sum(isinstance(end, NotInTime) for end in ends) == len(bench.figures.reasons) > 0
        assert begun_in_vain <= answered / 3

    on_bench(test)
