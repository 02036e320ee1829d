"""The supervisor with real processes: starts, scales, survives, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from edgefn.errors import DeploymentRefused, HandlerTimeout, InstanceLost, QueueFull, Unavailable
from edgefn_runtime.calls.answers import AnswerMemory
from edgefn_runtime.calls.call import Call
from edgefn_runtime.scheduling.lifecycle import FunctionState
from edgefn_runtime.wire.frames import encode_frame
from edgefn_runtime.wire.messages import Answer, Crash, encode
from edgefn_runtime.workers.instance import Instance
from tests.runtime.pool.bench import Bench, OnBench, alive, host_pid

PID = """
import os, time
@edge_function
def f(sleep: float = 0.0) -> int:
    time.sleep(sleep)
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
"""


def test_one_start_serves_all_who_wait(on_bench: OnBench) -> None:
    """Twenty calls at zero instances with scale=(0, 1): one process answers all, and all are cold."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        calls = [bench.submit() for _ in range(20)]
        pids = {bench.answer(await call.future) for call in calls}
        assert len(pids) == 1
        assert all(call.cold and call.started >= call.admitted for call in calls)
        warm = bench.submit()
        await warm.future
        assert not warm.cold
        assert {"wake", "import", "session", "first_run"} <= set(bench.figures.phases)

    on_bench(test)


def test_calls_that_keep_coming_while_instances_start_are_all_answered(on_bench: OnBench) -> None:
    """Sixteen callers, each with one call after another, from zero to scale[1]: no call is lost or left behind."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 4))

        async def caller() -> int:
            return len([await bench.ask() for _ in range(100)])

        assert sum(await asyncio.gather(*(caller() for _ in range(16)))) == 1600

    on_bench(test)


SHORT = """
import os, time
@edge_function
def f(how: str = "") -> int:
    if how == "exit":
        os._exit(7)
    if how == "sleep":
        time.sleep(1.0)
    return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
"""


async def _warm(bench: Bench) -> None:
    """The pool knows that calls are short, so it hands them over early."""
    for _ in range(100):
        await bench.ask()
    assert bench.supervisor.pool("f")._dispatcher.room > 1


def test_calls_that_no_handler_has_seen_survive_the_death_of_their_instance(on_bench: OnBench) -> None:
    """Ten calls lie in an instance that exits in the first: that one is lost, the others are answered elsewhere."""

    async def test(bench: Bench) -> None:
        await bench.deploy(SHORT, scale=(0, 1))
        await _warm(bench)
        dying, behind = bench.submit(how="exit"), [bench.submit() for _ in range(10)]
        with pytest.raises(InstanceLost, match="exited with code 7"):
            await dying.future
        assert len({bench.answer(await call.future) for call in behind}) == 1

    on_bench(test)


def test_a_slow_call_among_short_ones_holds_nobody_up(on_bench: OnBench) -> None:
    """Calls handed over early behind a call of 1 s are taken back and answered by another instance, long before."""

    async def test(bench: Bench) -> None:
        await bench.deploy(SHORT, scale=(0, 2))
        await _warm(bench)
        started = time.monotonic()
        slow, behind = bench.submit(how="sleep"), [bench.submit() for _ in range(10)]
        pids = {bench.answer(await call.future) for call in behind}
        assert time.monotonic() - started < 0.8
        assert bench.answer(await slow.future) not in pids
        assert await bench.ask() > 0

    on_bench(test)


def test_a_call_whose_time_is_up_is_not_begun(on_bench: OnBench) -> None:
    """timeout=0.3 s behind a call of 1 s with no second instance: 504 for both, and the handler saw one."""
    source = """
    import time
    seen = 0
    @edge_function
    def f(sleep: float = 0.0) -> int:
        global seen
        seen += 1
        time.sleep(sleep)
        return seen
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1), timeout_s=0.5, concurrency=1)
        for number in range(1, 101):
            assert await bench.ask() == number
        slow, behind = bench.submit(sleep=0.4), bench.submit()
        assert bench.answer(await slow.future) == 101
        assert bench.answer(await behind.future) == 102
        late, never = bench.submit(sleep=0.6), bench.submit()
        for call in (late, never):
            with pytest.raises(HandlerTimeout):
                await call.future
        assert await bench.ask() == 1  # a new instance: nobody has begun what had timed out

    on_bench(test)


def test_scales_out_while_calls_wait_and_to_zero_after_idle(on_bench: OnBench) -> None:
    """Four slow calls at once get up to scale[1] processes; after `idle` none is left."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 3), idle_s=0.3)
        calls = [bench.submit(sleep=0.3) for _ in range(6)]
        pids = {bench.answer(await call.future) for call in calls}
        assert len(pids) == 3
        await bench.until(lambda: not bench.pids(), "no instance is left after idle")
        assert bench.supervisor.pool("f").state is FunctionState.PARKED

    on_bench(test)


def test_scale_minimum_is_kept_without_requests(on_bench: OnBench) -> None:
    """scale=(1, 2): an instance is there before the first request, and again after it was killed."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(1, 2), idle_s=0.05)
        await bench.until(lambda: bench.supervisor.pool("f").state is FunctionState.SERVING, "an instance is ready")
        (pid,) = bench.pids()
        os.kill(pid, signal.SIGKILL)
        await bench.until(lambda: bool(bench.pids()) and bench.pids() != [pid], "another took its place")

    on_bench(test)


def test_a_killed_instance_fails_its_call_alone(on_bench: OnBench) -> None:
    """kill -9 of an instance: the call it held gets InstanceLost, the next one an answer."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        pid = await bench.ask()
        held = bench.submit(sleep=30.0)
        await bench.until(lambda: bool(held.instance and held.instance.has_begun(held)), "the handler has the call")
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(InstanceLost, match="SIGKILL"):
            await held.future
        assert await bench.ask() != pid

    on_bench(test)


def test_a_killed_template_takes_no_instance_along(on_bench: OnBench) -> None:
    """kill -9 of a template: its instance goes on with the call it holds; further instances come from a new one."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 2))
        pid = await bench.ask()
        template = await bench.template()
        held = bench.submit(sleep=0.5)
        os.kill(template, signal.SIGKILL)
        await bench.until(lambda: bench.supervisor.status("f")["template"] is None, "the box saw the template end")
        other = await bench.ask()
        assert bench.answer(await held.future) == pid
        assert other != pid

    on_bench(test)


def test_a_killed_zygote_takes_nobody_along_and_is_replaced(on_bench: OnBench) -> None:
    """kill -9 of the zygote: instances and templates go on; the next template comes from a new zygote."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        pid = await bench.ask()
        zygote = bench.zygote()
        os.kill(zygote, signal.SIGKILL)
        assert await bench.ask() == pid
        await bench.supervisor.stop_function("f")
        assert await bench.ask() != pid
        assert bench.zygote() != zygote

    on_bench(test)


def test_a_zygote_that_dies_again_and_again_fails_no_call(on_bench: OnBench) -> None:
    """Killed just before each start, so that the order meets a dead zygote or dies with one: all are answered."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        for _ in range(3):
            await bench.supervisor.stop_function("f")
            await bench.until(lambda: bench.supervisor.ready, "a zygote is there")
            os.kill(bench.zygote(), signal.SIGKILL)
            assert await bench.ask()

    on_bench(test)


def test_a_call_that_hangs_times_out_and_its_instance_is_replaced(on_bench: OnBench) -> None:
    """A hung handler: HandlerTimeout at `timeout`, another process for the next call."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1), timeout_s=0.5)
        pid = await bench.ask()
        started = time.monotonic()
        with pytest.raises(HandlerTimeout, match=r"did not answer within its timeout of 0\.5 s"):
            await bench.ask(sleep=60.0)
        assert time.monotonic() - started < 5
        assert await bench.ask() != pid

    on_bench(test)


def test_a_hung_call_does_not_take_its_neighbours_along(on_bench: OnBench) -> None:
    """concurrency=2: the other call in the instance of a hung one is answered, then the instance is replaced."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1), concurrency=2, timeout_s=1.0)
        pid = await bench.ask()
        hung = bench.submit(sleep=60.0)
        half_way = hung.admitted + 0.5
        await bench.until(lambda: time.monotonic() > half_way, "half of the hung call's time is over")
        neighbour = bench.submit(sleep=0.8)
        with pytest.raises(HandlerTimeout):
            await hung.future
        assert bench.answer(await neighbour.future) == pid
        assert await bench.ask() != pid

    on_bench(test)


def test_a_handler_that_raises_keeps_its_instance(on_bench: OnBench) -> None:
    """An exception is a Crash with the user's trace; the process serves on."""
    source = """
    import os
    @edge_function
    def f(bad: bool) -> int:
        if bad:
            raise RuntimeError("as asked")
        return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        pid = await bench.ask(bad=False)
        crash = await bench.ask(bad=True)
        assert isinstance(crash, Crash)
        assert "as asked" in crash.trace
        assert "serving.py" not in crash.trace
        assert await bench.ask(bad=False) == pid

    on_bench(test)


@pytest.mark.parametrize(
    ("statement", "how"),
    [
        ("os._exit(7)", "exited with code 7"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
    ],
)
def test_a_handler_that_ends_its_process_is_told_as_such(on_bench: OnBench, statement: str, how: str) -> None:
    """InstanceLost says how the process ended; the next call is served."""
    source = f"""
    import os, sys, signal
    @edge_function
    def f(bad: bool) -> int:
        if bad:
            {statement}
        return 1
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        with pytest.raises(InstanceLost, match=how):
            await bench.ask(bad=True)
        assert await bench.ask(bad=False) == 1

    on_bench(test)


def test_a_handler_cannot_take_more_memory_than_its_function_has(on_bench: OnBench) -> None:
    """Allocating past `memory` is a MemoryError in the handler, not the box's trouble."""
    source = """
    @edge_function
    def f(megabytes: int) -> int:
        return len(bytearray(megabytes * 2**20))
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1), memory_bytes=64 * 2**20)
        assert await bench.ask(megabytes=20) == 20 * 2**20
        crash = await bench.ask(megabytes=500)
        assert isinstance(crash, Crash)
        assert "MemoryError" in crash.trace
        assert await bench.ask(megabytes=1) == 2**20

    on_bench(test)


def test_a_full_queue_refuses_with_a_time_to_come_again(on_bench: OnBench) -> None:
    """queue=2 and one busy slot: the fourth call gets QueueFull, those inside are answered."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1), queue=2)
        pid = await bench.ask()
        inside = [bench.submit(sleep=0.3) for _ in range(3)]
        with pytest.raises(QueueFull) as refused:
            bench.submit()
        assert refused.value.retry_after_s >= 1
        assert {bench.answer(await call.future) for call in inside} == {pid}

    on_bench(test)


def test_a_caller_that_leaves_the_queue_is_not_served(on_bench: OnBench) -> None:
    """A cancelled call that waits never reaches a handler."""
    source = """
    import time
    served = 0
    @edge_function
    def f(sleep: float) -> int:
        global served
        served += 1
        time.sleep(sleep)
        return served
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        assert await bench.ask(sleep=0) == 1
        first, gone = bench.submit(sleep=0.3), bench.submit(sleep=0)
        bench.supervisor.pool("f").cancel(gone)
        assert bench.answer(await first.future) == 2
        assert await bench.ask(sleep=0) == 3

    on_bench(test)


def test_a_handler_that_cannot_import_is_refused_with_its_trace(on_bench: OnBench) -> None:
    """prepare raises DeploymentRefused; what served before goes on."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        pid = await bench.ask()
        broken = bench.revision("import no_such_module_anywhere", number=2)
        with pytest.raises(DeploymentRefused, match="no_such_module_anywhere") as refused:
            await bench.supervisor.prepare(broken)
        assert "f2.py" in refused.value.trace
        assert await bench.ask() == pid

    on_bench(test)


def test_a_revision_that_stops_loading_is_left_alone_for_a_while(on_bench: OnBench) -> None:
    """A start that fails fails those who wait, with Retry-After, and the next try is not at once."""

    async def test(bench: Bench) -> None:
        revision = bench.revision("raise OSError('the camera is unplugged')")
        await bench.supervisor.switch("f", revision)
        with pytest.raises(Unavailable, match="the camera is unplugged"):
            await bench.ask()
        with pytest.raises(Unavailable, match="does not start"):
            bench.submit()
        assert bench.supervisor.pool("f").state is FunctionState.FAILED
        assert "camera" in bench.logs

    on_bench(test)


def test_a_switch_under_load_loses_no_call(on_bench: OnBench) -> None:
    """Calls in flight are answered by the old revision, later ones by the new; the old processes end."""
    old = "import time\n@edge_function\ndef f() -> str:\n    time.sleep(0.02)\n    return 'old'\n"
    new = "@edge_function\ndef f() -> str:\n    return 'new'\n"

    async def test(bench: Bench) -> None:
        await bench.deploy(old, scale=(0, 2))
        calls = [bench.submit() for _ in range(30)]
        await bench.deploy(new, number=2)
        calls += [bench.submit() for _ in range(30)]
        answers = [bench.answer(await call.future) for call in calls]
        assert answers == ["old"] * 30 + ["new"] * 30

    on_bench(test)


def test_a_crash_in_the_midst_of_a_switch_loses_no_waiting_call(on_bench: OnBench) -> None:
    """The old revision's only instance dies while calls wait for it and it drains: it gets another one for them."""
    old = """
    import os, time
    @edge_function
    def f(exit: bool = False) -> str:
        if exit:
            time.sleep(0.3)
            os._exit(1)
        return "old"
    """
    new = "@edge_function\ndef f() -> str:\n    return 'new'\n"

    async def test(bench: Bench) -> None:
        await bench.deploy(old, scale=(0, 1))
        await bench.ask()
        dying, waiting = bench.submit(exit=True), [bench.submit() for _ in range(5)]
        await bench.deploy(new, number=2)
        with pytest.raises(InstanceLost):
            await dying.future
        assert {bench.answer(await call.future) for call in waiting} == {"old"}
        assert await bench.ask() == "new"

    on_bench(test)


def test_stop_leaves_no_process_and_the_next_call_starts_it(on_bench: OnBench) -> None:
    """After `stop` neither template nor instance is there; status looks and wakes nothing."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        pid = await bench.ask()
        await bench.supervisor.stop_function("f")
        status = bench.supervisor.status("f")
        assert (status["state"], status["instances"], status["template"]) == ("idle", [], None)
        assert await bench.ask() != pid

    on_bench(test)


def test_a_call_that_comes_while_the_function_is_stopped_is_served(on_bench: OnBench) -> None:
    """The stop ends the template that the call's start waits for: another one is made, and the function goes on."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        await bench.supervisor.stop_function("f")
        launcher = bench.supervisor.pool("f").launcher
        call = bench.submit()
        await bench.until(lambda: launcher._making is not None, "a template is on its way")
        await launcher.close()
        assert bench.answer(await asyncio.wait_for(call.future, 20)) > 0
        assert await bench.ask() > 0

    on_bench(test)


def test_other_artifacts_serve_while_a_template_of_those_before_loads(on_bench: OnBench) -> None:
    """Whoever waits for that template gets one of what serves now: none of those before is made again."""

    async def test(bench: Bench) -> None:
        await bench.deploy("@edge_function\ndef f() -> int:\n    return 1", scale=(0, 2))
        instead = bench.revision("@edge_function\ndef f() -> int:\n    return 2", number=2, scale=(0, 2))
        await bench.supervisor.stop_function("f")
        pool = bench.supervisor.pool("f")
        calls = [bench.submit() for _ in range(2)]
        await bench.until(lambda: pool.launcher.making, "a template is on its way")
        pool.replace(instead)
        assert [bench.answer(await asyncio.wait_for(call.future, 20)) for call in calls] == [2, 2]

    on_bench(test)


def test_async_handlers_overlap_inside_one_instance(on_bench: OnBench) -> None:
    """concurrency=8 and an async handler: eight sleeps take about as long as one."""
    source = """
    import asyncio, os
    @edge_function
    async def f(sleep: float) -> int:
        await asyncio.sleep(sleep)
        return os.stat("/proc/self/ns/pid").st_ino << 22 | os.getpid()
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1), concurrency=8)
        await bench.ask(sleep=0)
        started = time.monotonic()
        calls = [bench.submit(sleep=0.5) for _ in range(8)]
        assert len({bench.answer(await call.future) for call in calls}) == 1
        assert time.monotonic() - started < 2.0

    on_bench(test)


def test_code_that_starts_threads_as_it_loads_serves_without_a_fork(on_bench: OnBench) -> None:
    """Its template is not forked; the instance loads by itself and the thread is alive in it."""
    source = """
    import threading, time
    beats = 0
    def beat():
        global beats
        while True:
            beats += 1
            time.sleep(0.01)
    threading.Thread(target=beat, daemon=True).start()
    @edge_function
    def f() -> bool:
        before = beats
        time.sleep(0.1)
        return beats > before
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        assert await bench.ask() is True
        assert "starts threads" in bench.logs

    on_bench(test)


def test_siblings_draw_different_random_numbers(on_bench: OnBench) -> None:
    """Forks of one template share its memory, not its random numbers: `random`, NumPy and os.urandom differ."""
    source = """
    import random, time, uuid
    import numpy
    @edge_function
    def f() -> list[float]:
        time.sleep(0.2)
        return [random.random(), float(numpy.random.random()), float(uuid.uuid4().int)]
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 2))
        calls = [bench.submit() for _ in range(2)]
        one, other = [bench.answer(await call.future) for call in calls]
        assert all(a != b for a, b in zip(one, other, strict=True))

    on_bench(test)


def test_what_a_handler_prints_is_in_its_log(on_bench: OnBench) -> None:
    """stdout and stderr, from import and from a call, whole lines."""
    source = """
    import sys
    print("importing")
    @edge_function
    def f() -> None:
        print("served")
        print("warned", file=sys.stderr)
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        await bench.ask()
        texts = ("importing", "served", "warned")
        await bench.until(lambda: all(text in bench.logs for text in texts), "the log holds what was printed")

    on_bench(test)


def test_a_process_that_a_handler_leaves_behind_is_ended(on_bench: OnBench) -> None:
    """`sleep 1000` in the background dies with its instance."""
    source = """
    import os, subprocess
    @edge_function
    def f() -> list[int]:
        script = "sleep 1000 & echo $!; exec sleep 1000"
        shell = subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, start_new_session=False)
        namespace = os.stat("/proc/self/ns/pid").st_ino << 22
        return [namespace | shell.pid, namespace | int(shell.stdout.readline())]
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        left = [host_pid(who) for who in await bench.ask()]
        assert all(map(alive, left))
        await bench.supervisor.stop_function("f")
        await bench.until(lambda: not any(map(alive, left)), "what it started has ended")

    on_bench(test)


def test_the_zygote_has_one_thread_and_no_secrets(on_bench: OnBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second thread would be lost in its forks; the box's environment is not handed on."""
    monkeypatch.setenv("EDGEFN_TOKEN", "the-box's-secret")

    async def test(bench: Bench) -> None:
        await bench.until(lambda: bench.supervisor.ready, "the zygote is ready")
        pid = bench.zygote()
        assert len(list(Path(f"/proc/{pid}/task").iterdir())) == 1
        assert b"secret" not in Path(f"/proc/{pid}/environ").read_bytes()
        descriptors = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
        assert sum("socket:" in target for target in descriptors) == 1

    on_bench(test)


def test_an_answer_that_is_not_a_reply_ends_the_instance_not_the_box(on_bench: OnBench) -> None:
    """A handler that writes to the channel's descriptor breaks its own instance alone."""
    source = """
    import os, stat
    @edge_function
    def f(bad: bool) -> int:
        if bad:
            for fd in range(3, 64):
                try:
                    if stat.S_ISSOCK(os.fstat(fd).st_mode):
                        os.write(fd, b"\\xff" * 64)
                except OSError:
                    pass
        return 1
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        with pytest.raises(InstanceLost):
            await bench.ask(bad=True)
        assert await bench.ask(bad=False) == 1

    on_bench(test)


def test_what_an_instance_writes_after_garbage_is_no_answer(on_bench: OnBench) -> None:
    """However the two arrive: it is killed for the first, and the second counts for nothing."""

    async def test(bench: Bench) -> None:
        await bench.deploy("@edge_function\ndef f() -> int: return 1")
        instance = Instance("f", bench.supervisor.pool("f"), AnswerMemory())
        call = Call("", "", "", b"")
        instance.calls[1] = call
        instance.data_received(b"\xff" * 64)
        answer = encode(Answer(1, "application/json", 0.0, 0.0, 0.0))
        instance.data_received(b"".join(map(bytes, encode_frame(answer, b"1"))))
        assert not call.future.done()

    on_bench(test)


def test_big_bodies_go_through_whole(on_bench: OnBench) -> None:
    """Ten megabytes in, ten megabytes out, unchanged."""
    source = """
    @edge_function
    def f(text: str) -> str:
        return text
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        body = b"x" * (10 * 2**20)
        call = Call("text/plain", "", "text/plain", body)
        bench.supervisor.pool("f").submit(call)
        outcome = await call.future
        assert isinstance(outcome.reply, Answer)
        assert outcome.body.strip(b'"') == body

    on_bench(test)
