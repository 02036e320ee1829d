"""The logs of all functions: buffered, followed, bounded, and never a reason for a request to fail."""

from __future__ import annotations

import asyncio
import contextlib
import os
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edgefn_runtime.telemetry.buffer import BUFFER_BYTES, FLUSH_S
from edgefn_runtime.telemetry.follower import Follower
from edgefn_runtime.telemetry.logs import FunctionLogs

DEADLINE_S = 5.0


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[FunctionLogs]:
    made = FunctionLogs(tmp_path)
    yield made
    made.close()


def texts(lines: list[str]) -> list[str]:
    return [line.split(" ", 4)[4] for line in lines]


async def take(lines: AsyncIterator[str], count: int) -> list[str]:
    async with asyncio.timeout(DEADLINE_S):
        return texts([await anext(lines) for _ in range(count)])


def test_what_was_written_is_read(logs: FunctionLogs) -> None:
    """A reader sees all that was written before it asked, flushed or not."""

    async def scenario() -> None:
        logs.write("echo", "one")
        logs.write("echo", b"two\xff", stream="stderr", pid=7, id="a1")
        assert texts(logs.tail("echo", 10)) == ["one", "two\\xff"]
        assert logs.tail("echo", 1)[0].split(" ")[1:4] == ["stderr", "7", "a1"]

    asyncio.run(scenario())


def test_functions_have_logs_of_their_own(logs: FunctionLogs) -> None:
    """What one function prints is not in another's log."""
    logs.write("echo", "one")
    logs.write("classify_image", "two")
    assert texts(logs.tail("echo", 10)) == ["one"]
    assert logs.known("echo")
    assert not logs.known("read_digits")


def test_nothing_is_kept_of_a_function_that_is_asked_for_in_vain(tmp_path: Path) -> None:
    """Whatever names are asked for: a log of the box before is found, and the memory stays as it was."""
    (tmp_path / "old.log").write_text("a line\n")
    logs = FunctionLogs(tmp_path)
    assert logs.known("old")
    grown = []
    tracemalloc.start()
    for turn in range(3):
        before, _ = tracemalloc.get_traced_memory()
        assert not any(logs.known(f"nobody-{turn}-{number}") for number in range(1000))
        after, _ = tracemalloc.get_traced_memory()
        grown.append(after - before)
    tracemalloc.stop()
    assert min(grown) < 50_000, "once, Python's table of interned names may grow"


def test_a_line_waits_for_the_timer_and_no_longer(logs: FunctionLogs, tmp_path: Path) -> None:
    """Writing touches no disk; FLUSH_S later the lines are there, in one append."""

    async def scenario() -> None:
        for number in range(100):
            logs.write("echo", f"line {number}")
        assert not (tmp_path / "echo.log").exists()
        deadline = asyncio.get_running_loop().time() + FLUSH_S + DEADLINE_S
        while not (tmp_path / "echo.log").exists():
            assert asyncio.get_running_loop().time() < deadline, "the timer never flushed"
            await asyncio.sleep(0.01)
        assert (tmp_path / "echo.log").read_bytes().count(b"\n") == 100

    asyncio.run(scenario())


def test_a_flood_is_not_kept_in_memory(logs: FunctionLogs, tmp_path: Path) -> None:
    """A function that prints faster than the timer ticks is flushed each BUFFER_BYTES."""

    async def scenario() -> None:
        for _ in range(100):
            logs.write("echo", "x" * 8000)
        assert (tmp_path / "echo.log").stat().st_size > 100 * 8000 - BUFFER_BYTES

    asyncio.run(scenario())


def test_a_full_disk_drops_lines_and_counts_them(logs: FunctionLogs, monkeypatch: pytest.MonkeyPatch) -> None:
    """No write raises; once there is room again, logging goes on."""

    def full(descriptor: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    logs.write("echo", "before")
    monkeypatch.setattr(os, "write", full)
    logs.write("echo", "lost")
    monkeypatch.undo()
    logs.write("echo", "after")
    assert logs.dropped == 1
    assert texts(logs.tail("echo", 10)) == ["before", "after"]


def test_a_name_never_leaves_the_folder(logs: FunctionLogs, tmp_path: Path) -> None:
    """A name that is a path is refused, and writing under it still raises nothing."""
    logs.write("../echo", "out")
    assert logs.dropped == 1
    assert not (tmp_path.parent / "echo.log").exists()
    with pytest.raises(ValueError, match="not a function name"):
        logs.tail("../echo", 1)


def test_a_follower_sees_each_line_once(tmp_path: Path) -> None:
    """The tail first, then each new line at once, without gap or double, also across a rotation."""
    logs = FunctionLogs(tmp_path, rotate_bytes=2000)

    async def scenario() -> None:
        for number in range(10):
            logs.write("echo", f"{number}")
        async with contextlib.aclosing(logs.follow("echo", 3)) as lines:
            assert await take(lines, 1) == ["7"]
            for number in range(10, 200):
                logs.write("echo", f"{number}")
                logs.tail("echo", 0)  # flushes, so that there is something to rotate
            assert await take(lines, 192) == [str(number) for number in (8, 9, *range(10, 200))]
        assert (tmp_path / "echo.log.1").exists()

    asyncio.run(scenario())


@pytest.mark.parametrize("ending", ["remove", "drain", "close"])
def test_following_ends_with_the_function_and_with_the_box(logs: FunctionLogs, ending: str) -> None:
    """A follower gets what was written before the end, and then its stream ends."""

    async def scenario() -> None:
        logs.write("echo", "one")
        lines = logs.follow("echo", 10)
        assert await take(lines, 1) == ["one"]
        waiting = asyncio.create_task(take(lines, 1))
        await asyncio.sleep(0)
        logs.write("echo", "last")
        {"remove": lambda: logs.remove("echo"), "drain": logs.end_followers, "close": logs.close}[ending]()
        assert await waiting == ["last"]
        with pytest.raises(StopAsyncIteration):
            await take(lines, 1)

    asyncio.run(scenario())


def test_following_a_draining_box_gives_the_tail_and_ends(logs: FunctionLogs) -> None:
    """A drain does not wait for someone who began to follow after it."""

    async def scenario() -> None:
        logs.write("echo", "one")
        logs.end_followers()
        async with asyncio.timeout(DEADLINE_S):
            assert texts([line async for line in logs.follow("echo", 10)]) == ["one"]

    asyncio.run(scenario())


def test_a_slow_follower_costs_bounded_memory() -> None:
    """It loses the oldest records, is told how many, and gets the newest."""

    async def scenario() -> None:
        follower = Follower(max_bytes=100)
        for number in range(50):
            follower.push(f"{number:010}")
        follower.end()
        got = [text async for text in follower]
        assert got[0].startswith("… 40 lines skipped")
        assert got[1:] == [f"{number:010}" for number in range(40, 50)]

    asyncio.run(scenario())


def test_closing_leaves_everything_on_disk(tmp_path: Path) -> None:
    """What was buffered when the box stops is written, and so is what comes after."""

    async def scenario() -> None:
        logs = FunctionLogs(tmp_path)
        logs.write("echo", "one")
        logs.close()
        logs.write("echo", "two")
        logs.write("classify_image", "three")

    asyncio.run(scenario())
    assert (tmp_path / "echo.log").read_bytes().count(b"\n") == 2
    assert (tmp_path / "classify_image.log").exists()
