"""A zygote that finds less of the machine than the one before it."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.scheduling import backoff
from edgefn_runtime.workers import zygote
from edgefn_runtime.workers.isolation import LAYERS, Requirement
from tests import programs
from tests.e2e.deadline import PATIENCE
from tests.runtime.pool.bench import Bench

MOST = Path("/proc/sys/user/max_pid_namespaces")
"""How many the user namespace of who looks may have; its root may say so."""
NAMES = st.sampled_from([*LAYERS])
FOUND = st.fixed_dictionaries({name: st.one_of(st.just(True), st.just("not here")) for name in LAYERS})
SOURCE = """
@edge_function
def f() -> bool:
    import os

    return os.getppid() == 0  # the box is not in its PID namespace
"""


@given(before=FOUND, found=FOUND, allowed=st.lists(NAMES, max_size=3))
def test_lost_is_what_was_enforced_and_is_not(
    before: dict[str, bool | str], found: dict[str, bool | str], allowed: list[str]
) -> None:
    """But for what the operator does without; more than before is no loss, and nor is anything at the first time."""
    requirement = Requirement(allowed=tuple(allowed))
    had = {name for name, how in before.items() if how is True}
    has = {name for name, how in found.items() if how is True}
    assert set(requirement.lost(before, found)) == had - has - set(allowed)
    assert requirement.lost({}, found) == {}


def test_no_function_starts_with_less_than_the_box_began_with(tmp_path: Path) -> None:
    """PID namespaces used up while the box runs, its zygote killed: what runs answers, and nothing starts till then."""
    become_root = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*become_root, "test", "-w", str(MOST)], check=False, capture_output=True).returncode:
        pytest.skip("this machine gives no user namespace of which the limits can be set")
    module = programs.command("tests.runtime.workers.test_zygote", str(tmp_path))
    ran = subprocess.run([*become_root, *module], check=False, capture_output=True, text=True, timeout=120 * PATIENCE)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    said = ran.stdout.splitlines()
    assert said[-1] == "as before"
    assert any("enforces less isolation than when the box started (own_pids: " in line for line in said)
    assert any("restore it, or restart the box to accept less" in line for line in said)


async def _shrink(folder: Path) -> None:
    zygote._READY_DEADLINE_S *= PATIENCE
    backoff.FIRST_S = 0.1
    bench = Bench(folder, places=[])
    bench.supervisor.start()
    try:
        await bench.supervisor.isolated()
        found = bench.supervisor.isolation
        assert found["own_pids"] is True, found
        await bench.deploy(SOURCE, scale=(0, 1))
        assert await bench.ask()
        most = MOST.read_text()
        MOST.write_text("0")
        os.kill(bench.zygote(), signal.SIGKILL)
        await bench.until(lambda: not bench.supervisor.ready, "the zygote is known to be dead")
        assert await bench.ask(), "what runs goes on"
        lost = bench.zygote()
        await bench.until(lambda: bench.zygote() != lost, "another is tried")
        await bench.supervisor.stop_function("f")
        second = bench.zygote()
        await bench.until(lambda: bench.zygote() != second, "and another")
        assert not bench.supervisor.ready
        call = bench.submit()
        third = bench.zygote()
        await bench.until(lambda: bench.zygote() != third, "a third, while a call waits")
        assert not any(bench.pids()), "no process serves it"
        assert bench.supervisor.isolation == found
        MOST.write_text(most)
        await bench.until(lambda: bench.supervisor.ready, "a zygote that finds all")
        assert bench.supervisor.isolation == found
        assert bench.answer(await call.future), "who waited is served, in a PID namespace"
        print("as before")
    finally:
        await bench.supervisor.stop()


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout)
    asyncio.run(_shrink(Path(sys.argv[1])))
