"""A box whose clock jumps by an hour while it serves: nothing that waits, ends or is ordered goes by the time of day.

libfaketime shifts CLOCK_REALTIME of the box process alone, while it runs. Its children do not get the variables.
"""

from __future__ import annotations

import email.utils
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgefn_runtime.scheduling.crashes import LIMIT
from tests.e2e.box import RunningBox
from tests.e2e.bundles import Bundles
from tests.e2e.deadline import eventually

HOUR_S = 3600
FUNCTIONS = ("slow", "brief", "hangs", "leaves", "speaks")


class Clock:
    """The time of day of the processes that run with `environment`."""

    def __init__(self, file: Path, library: str) -> None:
        self._file = file
        self.set(0)
        self.environment = [
            f"LD_PRELOAD={library}",
            f"FAKETIME_TIMESTAMP_FILE={file}",
            "FAKETIME_NO_CACHE=1",
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
        ]

    def set(self, seconds: int) -> None:
        """The clock is so far ahead of this machine's."""
        written = self._file.with_suffix(".new")
        written.write_text(f"{seconds:+d}")
        written.rename(self._file)


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> Clock:
    """A clock that can be set, by the library that the command `faketime` preloads."""
    command = [tool("faketime"), "-f", "+0", "printenv", "LD_PRELOAD"]
    library = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return Clock(tmp_path_factory.mktemp("clock") / "offset", library)


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory, clock: Clock, bundles: Bundles) -> Iterator[RunningBox]:
    """A box on that clock."""
    with RunningBox(tmp_path_factory.mktemp("moving") / "box", before=["env", *clock.environment]) as box:
        for name in FUNCTIONS:
            box.deploy(bundles.of(name))
        yield box


def ahead_s(box: RunningBox) -> float:
    """How far the box's clock is ahead of this process's, by its Date header."""
    date = email.utils.parsedate_to_datetime(box.http.get("/healthz").headers["date"])
    return date.timestamp() - time.time()


def jump(clock: Clock, box: RunningBox, seconds: int) -> None:
    """The box has seen its clock jump."""
    clock.set(seconds)
    eventually("the box goes by the new time", lambda: abs(ahead_s(box) - seconds) < 60)


@pytest.fixture(params=[HOUR_S, -HOUR_S], ids=["ahead", "back"])
def leap(request: pytest.FixtureRequest, clock: Clock, moving: RunningBox) -> Iterator[Callable[[], None]]:
    """Makes the box's clock jump by an hour; the clock is right before the test and after it."""
    yield lambda: jump(clock, moving, request.param)
    jump(clock, moving, 0)


def test_requests_across_a_jump_are_answered(moving: RunningBox, leap: Callable[[], None]) -> None:
    """One that runs is not timed out, its instance is the one that serves after, and neither is ended as idle."""
    pid = moving.call("slow", seconds=0)
    with ThreadPoolExecutor(1) as caller:
        running = caller.submit(moving.invoke, "slow", seconds=1.0)
        moving.until("it runs", "slow", lambda status: any(one.in_flight for one in status.instances))
        leap()
        assert running.result().status_code == 200
    assert moving.call("slow", seconds=0) == pid, "idle is 60 s, and no hour has passed"
    assert 0 <= moving.status("slow").instances[0].age_s < 600


def test_what_is_idle_ends_in_its_time(moving: RunningBox, leap: Callable[[], None]) -> None:
    """idle=300 ms: the instance goes after the jump too, to either side, and the next request starts another."""
    moving.call("brief")
    leap()
    pid = moving.call("brief")
    moving.until("brief has no instance", "brief", lambda status: not status.instances)
    assert moving.call("brief") != pid


def test_a_timeout_comes_in_its_time(moving: RunningBox, leap: Callable[[], None]) -> None:
    """timeout=1 s across the jump: 504 after about that, neither at once nor an hour later."""
    began = time.monotonic()
    with ThreadPoolExecutor(1) as caller:
        hanging = caller.submit(moving.invoke, "hangs", forever=True)
        leap()
        assert hanging.result().status_code == 504
    assert 1 <= time.monotonic() - began < 15


def test_a_pause_ends_in_its_time(moving: RunningBox, leap: Callable[[], None]) -> None:
    """A function that failed before the jump is tried again after its pause of a second."""
    for _ in range(LIMIT):
        assert moving.invoke("leaves", how="os._exit").status_code == 502
    eventually("it is left alone", lambda: moving.invoke("leaves", how="os._exit").status_code == 503)
    leap()
    eventually("it is let in again", lambda: moving.invoke("leaves", how="stay").status_code == 200)


def test_a_log_keeps_its_own_order(moving: RunningBox, leap: Callable[[], None]) -> None:
    """Lines come out in the order they were written, whatever the times before them say."""
    moving.call("speaks", text="before the jump")
    leap()
    moving.call("speaks", text="after the jump")
    log = eventually("both are there", lambda: log_of(moving, "out: after the jump"))
    assert log.rindex("out: before the jump") < log.rindex("out: after the jump")


def log_of(box: RunningBox, text: str) -> str:
    """The log of `speaks` once it has `text`, empty before."""
    log = box.logs("speaks")
    return log if text in log else ""
