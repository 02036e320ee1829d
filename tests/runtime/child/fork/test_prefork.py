"""The child that the zygote keeps ahead, and the template that becomes an instance: what saves a start its forks."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from edgefn_runtime.child.fork.zygote import SPARE_DELAY_S
from tests.runtime.pool.bench import Bench, OnBench, alive, children, pid_inside

PID = """
import os
@edge_function
def f() -> int:
    return os.getpid()
"""
NETWORK = """
import os
@edge_function
def f() -> str:
    return os.readlink("/proc/self/ns/net")
"""


def spares(name: str = "edgefn-spare") -> list[int]:
    """The spare children of this process."""
    return [pid for pid in children() if _name(pid) == name]


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def test_the_spare_child_becomes_the_function_and_another_is_kept(on_bench: OnBench) -> None:
    """From no process at all: who answers was there before the request, under another name."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        await bench.supervisor.stop_function("f")
        await bench.until(lambda: len(spares()) == 1, "a spare child is there")
        (spare,) = spares()
        assert await bench.ask() == pid_inside(spare)
        assert bench.pids() == [spare]
        assert _name(spare) == "f"
        await bench.until(lambda: spares() not in ([], [spare]), "another one is kept")

    on_bench(test)


def test_the_next_spare_child_is_made_when_the_start_is_over(on_bench: OnBench) -> None:
    """The first answer says so; only where none comes the zygote waits. And again at once: each start finds one."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        waited = []
        for _ in range(5):
            await bench.supervisor.stop_function("f")
            await bench.until(lambda: len(spares()) == 1, "a spare child is there")
            (spare,) = spares()
            assert await bench.ask() == pid_inside(spare)
            answered = time.monotonic()
            await bench.until(lambda: len(spares()) == 1, "another one is made")
            waited.append(time.monotonic() - answered)
        assert min(waited) < SPARE_DELAY_S

    on_bench(test)


@pytest.mark.parametrize("network", [False, True])
def test_a_template_that_nobody_waits_for_leaves_the_spare_child_to_a_request(on_bench: OnBench, network: bool) -> None:
    """It is made behind the first answer, by a fork of its own; a start meanwhile finds the spare one."""
    name = "edgefn-sparenet" if network else "edgefn-spare"

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1), network=network)
        await bench.supervisor.stop_function("f")
        await bench.ask()
        await bench.until(lambda: len(spares(name)) == 1, "a spare child is there")
        (spare,) = spares(name)
        assert await bench.template() != spare
        assert spares(name) == [spare]
        await bench.supervisor.stop_function("f")
        assert await bench.ask() == pid_inside(spare)

    on_bench(test)


def test_a_spare_child_that_dies_costs_no_call(on_bench: OnBench) -> None:
    """It is reaped, the next start forks by itself, and there is a spare one again."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        await bench.supervisor.stop_function("f")
        await bench.until(lambda: len(spares()) == 1, "a spare child is there")
        (spare,) = spares()
        os.kill(spare, signal.SIGKILL)
        await bench.until(lambda: not Path(f"/proc/{spare}").exists(), "it is reaped")
        await bench.ask()
        assert spare not in bench.pids()
        await bench.until(lambda: len(spares()) == 1, "a spare child is there again")

    on_bench(test)


def ended() -> int:
    """A child of this process that has ended, and of which nobody knows."""
    return os.posix_spawn("/bin/true", ["true"], {})


def test_a_child_that_dies_before_it_tells_is_reaped(on_bench: OnBench) -> None:
    """As one that the kernel takes between its fork and its first word: each order is followed by a sweep."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 1))
        for _ in range(2):
            await bench.supervisor.stop_function("f")
            untold = Path("/proc", str(ended()))
            await bench.ask()
            await bench.until(lambda untold=untold: not untold.exists(), "it is reaped")  # type: ignore[misc]

    on_bench(test)


def test_a_spare_child_ends_with_its_zygote(on_bench: OnBench) -> None:
    """A zygote that is killed leaves none behind; the next zygote has its own."""

    async def test(bench: Bench) -> None:
        await bench.until(lambda: len(spares()) == 1, "a spare child is there")
        (spare,) = spares()
        os.kill(bench.zygote(), signal.SIGKILL)
        await bench.until(lambda: not alive(spare), "it has ended")
        await bench.until(lambda: len(spares()) == 1, "the next zygote keeps one")

    on_bench(test)


def test_a_function_with_the_network_is_in_the_hosts(on_bench: OnBench) -> None:
    """The spare child has left the host's network, so it is not taken for one that may use it; another is."""

    async def test(bench: Bench) -> None:
        here = os.readlink("/proc/self/ns/net")
        await bench.deploy(NETWORK, scale=(0, 1), network=True)
        await bench.supervisor.stop_function("f")
        await bench.until(lambda: len(spares("edgefn-sparenet")) == 1, "a spare child with the network is there")
        assert len(spares()) == 1
        (spare,) = spares("edgefn-sparenet")
        assert await bench.ask() == here
        assert bench.pids() == [spare]
        await bench.deploy(NETWORK, number=2, scale=(0, 1))
        await bench.supervisor.stop_function("f")
        await bench.until(lambda: len(spares()) == 1, "a spare child is there")
        if bench.supervisor.isolation["namespaces"] is True:
            assert await bench.ask() != here

    on_bench(test)


def test_a_parked_template_becomes_the_first_instance(on_bench: OnBench) -> None:
    """No fork on the way; a new template is made behind it, and forks those that follow."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PID, scale=(0, 2))
        template = await bench.template()
        assert await bench.ask() == pid_inside(template)
        assert bench.pids() == [template]
        assert await bench.template() != template
        assert await bench.ask() == pid_inside(template)

    on_bench(test)
