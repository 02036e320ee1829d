"""Starts that fail for a reason of the box's own: nothing of them is left, and what is said is what happened."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
from collections import Counter
from collections.abc import Iterator

import pytest

from edgefn.errors import EdgefnError
from tests.runtime.cgroups.test_controlgroups import folders
from tests.runtime.pool.bench import Bench, OnBench


def descriptors() -> set[str]:
    return set(os.listdir("/proc/self/fd"))


def kinds() -> Counter[str]:
    """How many descriptors this process has, by what they are of."""
    found: Counter[str] = Counter()
    for descriptor in descriptors():
        with contextlib.suppress(OSError):  # the one that listed the folder
            found[os.readlink(f"/proc/self/fd/{descriptor}").partition(":[")[0]] += 1
    del found["/dev/null"]  # the event loop's own, which it opens when it first needs it
    del found["anon_inode"]  # with those of processes, which the zygote makes ahead at its own pace
    return found


@contextlib.contextmanager
def only(left: int) -> Iterator[None]:
    """This process can open so many descriptors more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(map(int, descriptors())) + left + 1, hard))
    fillers: list[int] = []
    try:
        with contextlib.suppress(OSError):
            while True:
                fillers.append(os.open("/dev/null", os.O_RDONLY))
        for _ in range(left):
            os.close(fillers.pop())
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for filler in fillers:
            os.close(filler)


@pytest.mark.parametrize("parked", [False, True], ids=["from nothing", "from a template"])
def test_a_box_without_descriptors_leaks_none(on_bench: OnBench, parked: bool) -> None:
    """With 0, 1, 2, … descriptors left: each start fails or serves, the error tells why, and all are given back."""

    async def attempt(bench: Bench, left: int) -> str:
        with only(left):
            try:
                await bench.ask()
            except EdgefnError as error:
                return str(error)
        return "served"

    async def test(bench: Bench) -> None:
        await bench.deploy("@edge_function\ndef f() -> int: return 1", scale=(0, 1))
        await bench.supervisor.stop_function("f")
        told: list[str] = []
        await bench.until(lambda: bool(bench.supervisor._zygote._spares), "a spare child is there")
        before, groups = kinds(), folders()
        for left in range(12):
            if parked:
                await bench.supervisor.pool("f").launcher.template(lambda: bench.supervisor.pool("f").revision)
            told.append(await attempt(bench, left))
            await bench.supervisor.stop_function("f")
            await bench.until(
                lambda: kinds() <= before,
                f"all are given back with {left} left, and not {kinds() - before}, {before - kinds()}",
            )
        assert folders() == groups, "nor a control group"
        failed = [text for text in told if text != "served"]
        assert failed
        assert all("Too many open files" in text for text in failed), failed
        assert parked or not any("template" in text for text in failed)
        assert await asyncio.wait_for(bench.ask(), 20) == 1

    on_bench(test)
