"""What a cancelled caller still waits for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from edgefn_runtime.store.uncancellable import in_thread, to_the_end


def test_cancelled_caller_waits_for_the_thread() -> None:
    """The cancellation is felt when the thread is done, and not before, however often it comes."""

    async def scenario() -> None:
        go, done = threading.Event(), []

        def work() -> None:
            go.wait(10)
            done.append(True)

        task = asyncio.create_task(in_thread(work))
        for _ in range(3):
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done

    asyncio.run(scenario())


def test_failure_goes_before_cancellation() -> None:
    """Work that fails after its caller was cancelled raises its own error."""

    async def scenario() -> None:
        go = asyncio.Event()

        async def work() -> None:
            await go.wait()
            raise ValueError("the work's own")

        task = asyncio.create_task(to_the_end(work()))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        go.set()
        with pytest.raises(ValueError, match="the work's own"):
            await task

    asyncio.run(scenario())


def test_result_and_failure_pass() -> None:
    """Without a cancellation it is as if the work were awaited."""

    def fail() -> None:
        raise KeyError("x")

    assert asyncio.run(in_thread(len, "abc")) == 3
    with pytest.raises(KeyError):
        asyncio.run(in_thread(fail))
