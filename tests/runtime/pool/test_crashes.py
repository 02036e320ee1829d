"""Functions whose instances die while they serve, and instances that are stopped: with real processes."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from edgefn.api.functions import FunctionProcesses
from edgefn.errors import HandlerTimeout, InstanceLost, Unavailable
from edgefn_runtime.scheduling.crashes import LIMIT
from edgefn_runtime.scheduling.lifecycle import FunctionState
from edgefn_runtime.workers import launcher
from tests.runtime.pool.bench import Bench, OnBench, alive

LEAVES = """
import ctypes, os, time
@edge_function
def f(how: str = "", sleep: float = 0.0) -> int:
    time.sleep(sleep)
    if how == "exit":
        os._exit(7)
    if how == "segfault":
        ctypes.string_at(0)
    if how == "unnamed":
        os.kill(os.getpid(), 40)
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
"""


async def crash(bench: Bench, how: str = "exit") -> None:
    with pytest.raises(InstanceLost):
        await bench.ask(how=how)


async def crash_until_failed(bench: Bench, how: str = "exit") -> None:
    for _ in range(LIMIT):
        await crash(bench, how)


def status(bench: Bench) -> FunctionProcesses:
    return bench.supervisor.status("f")


@pytest.mark.parametrize(
    ("how", "told"),
    [("exit", "exited with code 7"), ("segfault", "was killed by SIGSEGV"), ("unnamed", "was killed by signal 40")],
    ids=["exit", "segfault", "a signal without a name"],
)
def test_a_function_that_dies_in_every_request_fails_with_the_reason(on_bench: OnBench, how: str, told: str) -> None:
    """Refused at once with Retry-After, without a process; status says `failed`, why, and when it is tried again."""

    async def test(bench: Bench) -> None:
        await bench.deploy(LEAVES, scale=(0, 1))
        for _ in range(LIMIT):
            assert status(bench).state != "failed"
            await crash(bench, how)
        found = status(bench)
        assert (found.state, found.retry_after_s) == ("failed", 1)
        assert f"ended {LIMIT} times in a row while serving, the last one {told}" in found.reason
        with pytest.raises(Unavailable, match=told) as refused:
            bench.submit()
        assert refused.value.retry_after_s == 1
        assert not bench.pids()
        assert "requests are refused for 1 s" in bench.logs

    on_bench(test)


def test_it_recovers_by_itself(on_bench: OnBench) -> None:
    """After the pause one call is let in and the others are refused; its answer opens the function to all."""

    async def test(bench: Bench) -> None:
        await bench.deploy(LEAVES, scale=(0, 1))
        await crash_until_failed(bench)
        pool = bench.supervisor.pool("f")
        await bench.until(lambda: pool._starts._crashes.admits(asyncio.get_running_loop().time()), "the pause is over")
        probe = bench.submit(sleep=0.2)
        with pytest.raises(Unavailable):
            bench.submit()
        assert status(bench).state == "failed"
        await probe.future
        assert await bench.ask() > 0
        assert (status(bench).state, status(bench).reason, status(bench).retry_after_s) == (
            "serving",
            "",
            None,
        )
        assert "answers again" in bench.logs
        for _ in range(LIMIT - 1):
            await crash(bench)
        assert await bench.ask() > 0, "the row begins anew"

    on_bench(test)


@pytest.mark.parametrize("again", ["another revision", "the same revision", "a stop"])
def test_a_deployment_or_a_stop_ends_the_pause(on_bench: OnBench, again: str) -> None:
    """Deployed anew, the same bundle too, or stopped by a person: the next call is served at once."""

    async def test(bench: Bench) -> None:
        revision = await bench.deploy(LEAVES, scale=(0, 1))
        await crash_until_failed(bench)
        if again == "another revision":
            await bench.deploy(LEAVES, number=2)
        elif again == "the same revision":
            await bench.supervisor.prepare(revision)
            await bench.supervisor.switch("f", revision)
        else:
            await bench.supervisor.stop_function("f")
        assert await bench.ask() > 0

    on_bench(test)


def test_a_poison_request_among_good_ones_never_makes_the_function_fail(on_bench: OnBench) -> None:
    """Thirty calls that kill their instance among hundreds of good ones: each is lost alone, the good ones answered."""

    async def test(bench: Bench) -> None:
        await bench.deploy(LEAVES, scale=(0, 2))
        over = asyncio.Event()

        async def good() -> int:
            answered = 0
            while not over.is_set():
                answered += await bench.ask(sleep=0.001) > 0
            return answered

        async def poison() -> int:
            for _ in range(30):
                await crash(bench)
            over.set()
            return 30

        assert sum(await asyncio.gather(poison(), *(good() for _ in range(8)))) > 30 + 8 * 30
        assert status(bench).state == "serving"

    on_bench(test)


def test_calls_that_wait_when_the_function_fails_are_told_so(on_bench: OnBench) -> None:
    """Thirty calls at once that each kill their instance: LIMIT of them are lost, the others refused, none is left."""

    async def test(bench: Bench) -> None:
        await bench.deploy(LEAVES, scale=(0, 1))
        calls = [bench.submit(how="exit") for _ in range(30)]
        ends = await asyncio.wait_for(asyncio.gather(*(call.future for call in calls), return_exceptions=True), 20)
        assert [type(end) for end in ends] == [InstanceLost] * LIMIT + [Unavailable] * (30 - LIMIT)

    on_bench(test)


def test_a_refused_input_is_no_sign_of_life(on_bench: OnBench) -> None:
    """Bad requests between the crashes are answered 400 by the instance; the handler has still never come to an end."""

    async def test(bench: Bench) -> None:
        await bench.deploy(LEAVES, scale=(0, 1))
        for _ in range(LIMIT):
            await bench.ask(how=5)
            await crash(bench)
        assert bench.supervisor.pool("f").state is FunctionState.FAILED

    on_bench(test)


SHORT = """
import os
@edge_function
def f(how: str = "") -> int:
    if how == "exit":
        os._exit(7)
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
"""


def test_calls_behind_several_that_kill_their_instance_are_served(on_bench: OnBench) -> None:
    """Ten calls lie behind three poison ones in a row: they lose their instance three times and are answered all."""

    async def test(bench: Bench) -> None:
        await bench.deploy(SHORT, scale=(0, 1))
        for _ in range(100):
            await bench.ask()
        poison, behind = [bench.submit(how="exit") for _ in range(3)], [bench.submit() for _ in range(10)]
        ends = await asyncio.gather(*(call.future for call in poison), return_exceptions=True)
        assert [type(end) for end in ends] == [InstanceLost] * 3
        assert len({bench.answer(await call.future) for call in behind}) == 1

    on_bench(test)


def test_a_call_that_comes_as_an_instance_dies_is_served_by_another(on_bench: OnBench) -> None:
    """From its kill until the box has heard of it, whatever is submitted is answered: none meets a closed transport."""

    async def test(bench: Bench) -> None:
        await bench.deploy(SHORT, scale=(0, 1), queue=100_000)
        for _ in range(5):
            dying = await bench.ask()
            os.kill(dying, signal.SIGKILL)
            calls = [bench.submit()]
            while dying in bench.pids():
                calls.append(bench.submit())
                await asyncio.sleep(0)
            answers = await asyncio.gather(*(call.future for call in calls))
            assert dying not in {bench.answer(outcome) for outcome in answers}

    on_bench(test)


# ── SIGSTOP ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_call_in_a_stopped_instance_times_out_and_the_instance_is_replaced(on_bench: OnBench) -> None:
    """SIGSTOP within a call: HandlerTimeout for that call alone, those behind it are served, the process is gone."""

    async def test(bench: Bench) -> None:
        await bench.deploy(LEAVES, scale=(0, 2), timeout_s=1.0)
        for _ in range(100):
            await bench.ask()
        held = bench.submit(sleep=0.3)
        pool = bench.supervisor.pool("f")
        await bench.until(lambda: held.instance is not None and held.instance.has_begun(held), "the call is begun")
        assert held.instance is not None
        stopped = held.instance.pid
        os.kill(stopped, signal.SIGSTOP)
        behind = [bench.submit() for _ in range(10)]
        assert stopped not in {bench.answer(await call.future) for call in behind}
        assert not held.future.done(), "those behind it waited no longer than it"
        with pytest.raises(HandlerTimeout):
            await held.future
        await bench.until(lambda: not alive(stopped), "the stopped process is gone")
        assert pool.state is FunctionState.SERVING

    on_bench(test)


def test_an_idle_instance_that_is_stopped_costs_no_call(on_bench: OnBench) -> None:
    """SIGSTOP between calls, with no room for a second instance: it is replaced, and the call is served in its time."""

    async def test(bench: Bench) -> None:
        await bench.deploy(LEAVES, scale=(0, 1), timeout_s=5.0)
        stopped = await bench.ask()
        os.kill(stopped, signal.SIGSTOP)
        assert await bench.ask() != stopped
        assert not alive(stopped)

    on_bench(test)


def test_a_stopped_template_is_replaced(on_bench: OnBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGSTOP of a template: the start that waits for it in vain is made again from another; the call is served."""
    monkeypatch.setattr(launcher, "START_DEADLINE_S", 1.0)

    async def test(bench: Bench) -> None:
        await bench.deploy(LEAVES, scale=(0, 1), timeout_s=15.0)
        stopped = bench.supervisor.pool("f").launcher.current
        assert stopped is not None
        os.kill(stopped.pid, signal.SIGSTOP)
        assert await bench.ask() > 0
        await bench.until(lambda: not alive(stopped.pid), "the stopped template is gone")

    on_bench(test)


def test_stopped_with_a_call_in_hand_others_in_it_come_back(on_bench: OnBench) -> None:
    """concurrency=2: what a stopped instance has not begun is served elsewhere while it holds one that has begun."""

    async def test(bench: Bench) -> None:
        await bench.deploy(LEAVES, scale=(0, 2), concurrency=2, timeout_s=3.0)
        held = bench.submit(sleep=0.5)
        await bench.until(lambda: held.instance is not None and held.instance.has_begun(held), "the call is begun")
        assert held.instance is not None
        stopped = held.instance.pid
        os.kill(stopped, signal.SIGSTOP)
        try:
            assert await bench.ask() != stopped
        finally:
            os.kill(stopped, signal.SIGCONT)
        assert bench.answer(await held.future) == stopped
        assert await bench.ask() > 0

    on_bench(test)


def test_a_template_killed_as_several_instances_start_is_one_failure(on_bench: OnBench) -> None:
    """Three starts die with it: all are made again at once, and no call that waits for them is refused."""

    async def test(bench: Bench) -> None:
        await bench.deploy(LEAVES, scale=(0, 3))
        pool = bench.supervisor.pool("f")
        for _ in range(3):
            await bench.until(lambda: pool.launcher.current is not None, "a template is there")
            template = pool.launcher.current
            assert template is not None
            os.kill(template.pid, signal.SIGSTOP)
            calls = [bench.submit(sleep=0.05) for _ in range(3)]
            for _ in range(20):
                await asyncio.sleep(0)  # the orders are on their way to it
            os.kill(template.pid, signal.SIGKILL)
            assert all([bench.answer(await call.future) > 0 for call in calls])
            for pid in bench.pids():
                os.kill(pid, signal.SIGKILL)
            await bench.until(lambda: not bench.pids(), "no instance is left")

    on_bench(test)


LIES = """
import os, socket
from edgefn_runtime.wire import messages
from edgefn_runtime.wire.frames import encode_frame
for descriptor in map(int, os.listdir("/proc/self/fd")):
    try:
        end = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        continue
    if end.type == socket.SOCK_STREAM:  # it is no template, whose socket has packets
        for said in (messages.Binding(BOGUS), messages.Failed("it is broken", "", BOGUS)):
            end.sendall(b"".join(bytes(piece) for piece in encode_frame(messages.encode(said))))
        os._exit(3)
@edge_function
def f() -> int:
    return 1
"""


def test_an_artifact_that_the_bundle_has_not_is_no_reason_to_start_again_at_once(on_bench: OnBench) -> None:
    """A child that blames an artifact of its own making is a start that failed: told, and followed by a pause."""

    async def test(bench: Bench) -> None:
        await bench.deploy("BOGUS = 'artifacts/none/of-these'\n" + LIES, scale=(0, 1))
        await bench.supervisor.stop_function("f")  # the next start has no template
        zygote, orders = bench.supervisor._zygote, 0
        given = zygote.order

        async def counted(*order: Any) -> None:
            nonlocal orders
            orders += 1
            await given(*order)

        zygote.order = counted  # type: ignore[method-assign,assignment]
        with pytest.raises(Unavailable, match="it is broken"):
            await bench.ask()
        await asyncio.sleep(1.0)
        assert orders <= 3
        assert "it is broken" in bench.logs

    on_bench(test)
