"""What functions print: each line in its log within the budget, and no other function waits for what is over it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time

import pytest

from edgefn.api.functions import OutputFigures
from edgefn_runtime.workers import output
from edgefn_runtime.workers.output import LogPipe, Output, Turn
from tests.runtime.pool.bench import Bench, OnBench

PRINTS = """
import sys, time
@edge_function
def f(seconds: float, prints: bool = True) -> int:
    end, lines = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        if prints:
            print("y")
        lines += 1
    return lines
"""

QUICK = """
@edge_function
def f() -> int:
    return 1
"""


class Log:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.notes: list[str] = []
        self.output = Output(self.lines.append, self.notes.append, Turn())
        self.pipe = LogPipe(self.output)

    async def until(self, lines: int) -> None:
        deadline = time.monotonic() + 10
        while len(self.lines) < lines:
            assert time.monotonic() < deadline, f"{len(self.lines)} of {lines} lines came"
            await asyncio.sleep(0.001)


def test_lines_come_as_they_were_written_in_whatever_pieces() -> None:
    """Empty ones, long ones, bytes that are no text, and a last one without an end."""

    async def test() -> None:
        log = Log()
        written = [b"a", b"", b"\xff" * 3, b"x" * (output.MAX_REST_BYTES // 2), b"last"]
        data = b"\n".join(written)
        for begin in range(0, len(data), 1000):
            os.write(log.pipe.child_end, data[begin : begin + 1000])
            await asyncio.sleep(0)
        log.pipe.handed_over()
        await log.until(len(written))
        assert log.lines == [one.decode("utf-8", "backslashreplace") for one in written]
        assert log.output.figures() == OutputFigures()

    asyncio.run(test())


@pytest.mark.parametrize(
    "line", [b"\n", b"a line of some words\n", b"x" * 5000 + b"\n"], ids=["empty", "short", "long"]
)
def test_no_turn_of_the_loop_takes_long_over_output(line: bytes) -> None:
    """A pipe that is always full: each turn costs the loop a few milliseconds of processor time at most."""

    async def test() -> None:
        log, longest = Log(), 0.0
        os.set_blocking(log.pipe.child_end, False)
        many, end = line * (65536 // len(line)), time.monotonic() + 0.5
        while time.monotonic() < end:
            with contextlib.suppress(BlockingIOError):
                os.write(log.pipe.child_end, many)
            started = time.thread_time()
            await asyncio.sleep(0)
            longest = max(longest, time.thread_time() - started)
        log.pipe.handed_over()
        assert longest < 0.02
        assert log.output.dropped_bytes > 0
        assert len(log.lines) <= output.BURST + output.RATE * 2 + 1

    asyncio.run(test())


def test_what_comes_byte_by_byte_is_read_together() -> None:
    """A pipe that is written to all the time wakes the event loop some hundred times a second, and loses nothing."""

    async def test() -> None:
        log, reads = Log(), 0
        readable = log.pipe._readable

        def counted() -> None:
            nonlocal reads
            reads += 1
            readable()

        log.pipe._rest_a_while()
        log.pipe._readable = counted  # type: ignore[method-assign]
        log.pipe._listen()
        end, written = time.monotonic() + 0.5, 0
        while time.monotonic() < end and written < output.MAX_REST_BYTES // 2:
            written += os.write(log.pipe.child_end, b"x")
            await asyncio.sleep(0)
        os.write(log.pipe.child_end, b"\n")
        log.pipe.handed_over()
        await log.until(1)
        assert sum(map(len, log.lines)) == written
        assert reads < 2 * output.READ_BURST < written

    asyncio.run(test())


def test_what_is_dropped_is_counted_and_told(on_bench: OnBench) -> None:
    """Every line that a handler printed is in its log, or counted in its status and told there in one line."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PRINTS, scale=(0, 1), timeout_s=20.0)
        printed = await bench.ask(seconds=1.0)
        await bench.until(lambda: "of output were dropped" in bench.logs, "it is told")
        logged = sum(line == "f output y" for line in bench.logs.lines)
        dropped = bench.supervisor.status("f").output.dropped_lines
        assert dropped > 0
        assert logged + dropped <= printed
        assert printed - logged - dropped <= 65536 / 2  # still in the pipe
        assert logged <= output.BURST + 3 * output.RATE

    on_bench(test)


def test_a_function_that_prints_in_a_loop_holds_up_no_other(on_bench: OnBench) -> None:
    """Two instances print as fast as they can: calls of another take as long as beside silent work."""

    async def test(bench: Bench) -> None:
        await bench.deploy(PRINTS, scale=(0, 2), timeout_s=60.0)
        await bench.deploy(QUICK, number=2, name="g", scale=(0, 1))
        await bench.ask(seconds=0.0)
        await bench.ask("g")

        async def median_s(*, prints: bool) -> float:
            printing = [bench.submit(seconds=0.5, prints=prints) for _ in range(2)]
            took = []
            while not all(call.future.done() for call in printing):
                started = time.perf_counter()
                await bench.ask("g")
                took.append(time.perf_counter() - started)
            return statistics.median(took)

        rounds = [(await median_s(prints=False), await median_s(prints=True)) for _ in range(4)]
        silent_s, printing_s = map(min, zip(*rounds, strict=True))  # what else the machine does comes and goes
        assert printing_s <= 3 * silent_s + 0.002, f"{printing_s * 1e3:.2f} ms, {silent_s * 1e3:.2f} ms in silence"

    on_bench(test)


@pytest.mark.parametrize("stream", ["None", "type('Closed', (), {'flush': lambda self: 1 / 0})()"])
@pytest.mark.parametrize("concurrency", [1, 4])
def test_what_a_handler_puts_in_the_place_of_its_output_costs_no_call(
    on_bench: OnBench, stream: str, concurrency: int
) -> None:
    """Each call ended its instance, without a word in the log: there was nowhere left to write one."""
    source = f"import sys\nsys.stdout = {stream}\n@edge_function\ndef f() -> int:\n    return 1"

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1), concurrency=concurrency)
        assert [await bench.ask() for _ in range(3)] == [1, 1, 1]

    on_bench(test)
