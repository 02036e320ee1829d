"""One change of a function at a time; whoever is stuck gives way."""

from __future__ import annotations

import asyncio

import pytest

from edgefn.errors import DeploymentRefused, Unavailable
from edgefn_runtime.deployment.locks import ChangeLocks


def test_newest_wish_wins() -> None:
    """Of many different wishes for one function the last is done, and the others are told what came."""

    async def scenario() -> None:
        turns, done = ChangeLocks(), []

        async def work(number: int) -> int:
            await asyncio.sleep(0.001)
            done.append(number)
            return number

        tasks = [asyncio.create_task(turns.take("f", f"wish {n}", lambda n=n: work(n))) for n in range(20)]  # type: ignore[misc]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert outcomes[-1] == 19
        assert done[-1] == 19
        assert all(isinstance(one, DeploymentRefused | int) for one in outcomes)

    asyncio.run(scenario())


def test_functions_do_not_wait_for_each_other() -> None:
    """Another function's turn has nothing to do with this one's."""

    async def scenario() -> None:
        turns = ChangeLocks()
        stuck = asyncio.create_task(turns.take("f", "a", asyncio.Event().wait))
        await asyncio.sleep(0)
        assert await turns.take("g", "a", _one) == 1
        stuck.cancel()
        await asyncio.gather(stuck, return_exceptions=True)
        assert stuck.cancelled()

    asyncio.run(scenario())


def test_one_that_never_ends_is_told() -> None:
    """Whoever cannot get a turn even by superseding is told so in a bounded time."""

    async def scenario() -> None:
        turns, release = ChangeLocks(leave_s=0.05), asyncio.Event()

        async def stubborn() -> None:
            while not release.is_set():
                try:
                    await release.wait()
                except asyncio.CancelledError:
                    continue

        holder = asyncio.create_task(turns.take("f", "a", stubborn))
        await asyncio.sleep(0)
        try:
            with pytest.raises(Unavailable, match="a of f takes too long"):
                await turns.take("f", "b", _one)
        finally:
            release.set()  # else nothing ends the loop
        await holder
        assert await turns.take("f", "b", _one) == 1

    asyncio.run(scenario())


def test_failure_frees_the_turn() -> None:
    """After a change that failed the next one has its turn."""

    async def scenario() -> None:
        turns = ChangeLocks()

        async def fail() -> None:
            raise ValueError("no")

        with pytest.raises(ValueError, match="no"):
            await turns.take("f", "a", fail)
        assert await turns.take("f", "a", _one) == 1

    asyncio.run(scenario())


async def _one() -> int:
    return 1
