"""What one caller sends: it costs neither an instance nor those beside it, and never makes the function fail."""

from __future__ import annotations

import asyncio

import pytest

from edgefn.errors import InstanceLost, Unavailable
from edgefn_runtime.calls.call import Call, Outcome
from edgefn_runtime.scheduling.crashes import LIMIT
from edgefn_runtime.scheduling.lifecycle import FunctionState
from edgefn_runtime.wire.messages import Answer, Crash, Refusal
from tests.runtime.pool.bench import Bench, OnBench

MIB = 2**20


def call(bench: Bench, content_type: str, body: bytes, accept: str = "", query: str = "") -> Call:
    made = Call(content_type, query, accept, body)
    bench.supervisor.pool("f").submit(made)
    return made


TEXTS = """
import argparse, sys
class Shy(Exception):
    def __str__(self):
        raise self

def raises(value: str) -> str:
    match value:
        case "surrogate": raise ValueError("\\udcff")
        case "shy": raise Shy
        case "leaves": sys.exit(3)
        case "option": argparse.ArgumentParser().parse_args(["--" + value])
        case "interrupt": raise KeyboardInterrupt
        case "returned": return "\\udcff"
        case "printed": print("\\udcff")
        case text if len(text) > 1000: float(text)
    return value
"""

PLAIN = (
    TEXTS
    + """
@edge_function
def f(value: str) -> str:
    return raises(value)
"""
)

TASK = (
    TEXTS
    + """
import asyncio
@edge_function
async def f(value: str) -> str:
    if value == "cancel":
        asyncio.current_task().cancel()
    await asyncio.sleep(0)
    return raises(value)
"""
)

VALUES = """
import msgspec
class Odd(msgspec.Struct):
    n: int = 0
    def __post_init__(self):
        if self.n:
            raise SystemExit(self.n)

@edge_function
def f(value: dict[str, int] | list[list[int]] | None = None, odd: Odd | None = None) -> str:
    return "read"
"""

BYTES = """
@edge_function
def f(value: bytes) -> int:
    return len(value)
"""

ECHO = """
from typing import Any
@edge_function
def f(value: str, times: int = 1) -> Any:
    return value if times == 1 else [value] * times
"""

TEXT, JSON, RAW = "text/plain", "application/json", "application/octet-stream"

WORDS = ("surrogate", "shy", "leaves", "option", "interrupt", "returned", "cancel", "x" * 1_200_000)
Sent = tuple[str, bytes, str, str]
FAILS: list[Sent] = [(TEXT, word.encode(), "", "") for word in WORDS]
GOES: list[Sent] = [
    (TEXT, b"printed", "", ""),
    (TEXT, b"x", "text/html, " * 100_000, ""),
    (TEXT, b"", "", "value=" + "x" * 900),
]
DOCUMENT = b'{"value": {' + b",".join(b'"%08d": %d' % (n, n) for n in range(18 * MIB // 19)) + b"}}"
LETTERS = b'{"value": [' + b'"a",' * (4 * MIB) + b'"a"]}'
LISTS = b'{"value": [' + b"[]," * (4 * MIB) + b"[]]}"

ANSWERS: list[tuple[Sent, str]] = [
    ((TEXT, b"x" * 12 * MIB, f"application/{form}", "times=100"), "500") for form in ("json", "msgpack")
]
"""Which take more memory than there is, as they are written; the handler has come to its end."""

CASES: dict[str, tuple[str, int, list[tuple[Sent, str]]]] = {
    "words": (PLAIN, 1, [(sent, "500") for sent in FAILS if sent[1] != b"cancel"] + [(sent, "200") for sent in GOES]),
    "words in threads": (PLAIN, 4, [(sent, "500") for sent in FAILS if sent[1] != b"cancel"]),
    "words in a task": (TASK, 1, [(sent, "500") for sent in FAILS]),
    "words in tasks": (TASK, 4, [(sent, "500") for sent in FAILS] + [(sent, "200") for sent in GOES]),
    "documents": (VALUES, 1, [((JSON, body, "", ""), "413") for body in (DOCUMENT, LISTS, LETTERS)]),
    "a type that raises": (VALUES, 4, [((JSON, b'{"odd": {"n": 3}}', "", ""), "500")]),
    "a text": (ECHO, 1, [((JSON, b'{"value": "%s"}' % (b"x" * 40 * MIB), "", ""), "413")]),
    "answers": (ECHO, 1, ANSWERS),
    "answers in threads": (ECHO, 4, ANSWERS),
    "a body": (BYTES, 1, [((RAW, bytes(100 * MIB), "", ""), "413")]),
    "a body in threads": (BYTES, 4, [((RAW, bytes(100 * MIB), "", ""), "413")]),
}


MAKES_ROOM = {"documents"}
"""After which an instance may leave between calls, once a round at most, and another one serves.

It is the product that is right here. A document that filled the memory is freed whole, and a few kilobytes that were
allocated beside it may stay above it in the heap: then malloc cannot give the tens of megabytes below back
(`test_growth.test_what_is_free_and_cannot_be_given_back_counts`). They count against the limit, and Python's objects
cannot use them, so the next caller would get a 413 for what a fresh instance reads. Where it lands is chance: here it
was one process in 54 of 54 runs.
"""


def told(outcome: Outcome) -> str:
    """The status that the caller of `outcome` gets."""
    match outcome.reply:
        case Answer():
            return "200"
        case Refusal(error="BodyTooLarge"):
            return "413"
        case Crash():
            return "500"
    return str(outcome.reply)


@pytest.mark.parametrize("case", CASES)
def test_nothing_that_a_caller_sends_ends_an_instance(on_bench: OnBench, case: str) -> None:
    """Each is answered, by the same process, as often as crashes would make a function fail; so are those beside it."""
    source, concurrency, sent = CASES[case]
    memory = 64 * MIB if concurrency == 1 or source is BYTES else 256 * MIB  # the stacks of threads count
    rounds = 2 if any(len(body) > 2 * MIB for (_, body, _, _), _ in sent) else LIMIT + 1

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1), memory_bytes=memory, concurrency=concurrency, timeout_s=60.0)
        pids = set()
        for _ in range(rounds):
            calls = [(call(bench, *request), end) for request, end in sent]
            for made, end in calls:
                assert told(await asyncio.wait_for(made.future, 60)) == end, made.body[:20]
            pids |= set(bench.pids())
        assert len(pids) == 1 or (case in MAKES_ROOM and len(pids) <= rounds)
        assert bench.supervisor.pool("f").state is FunctionState.SERVING

    on_bench(test)


def test_a_request_that_ends_its_instance_as_it_is_read_is_not_the_handlers_crash(on_bench: OnBench) -> None:
    """Each is lost alone, however often it comes; the function serves the others, who saw nothing of it."""
    source = """
    import os, msgspec
    class Deadly(msgspec.Struct):
        ends: bool
        def __post_init__(self):
            if self.ends:
                os._exit(7)
    @edge_function
    def f(value: Deadly) -> int:
        return 1
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        for _ in range(LIMIT + 2):
            with pytest.raises(InstanceLost, match="while it read the request"):
                await call(bench, JSON, b'{"ends": true}').future
            assert bench.answer(await call(bench, JSON, b'{"ends": false}').future) == 1
        for _ in range(LIMIT + 2):
            with pytest.raises(InstanceLost):
                await call(bench, JSON, b'{"ends": true}').future
        assert bench.supervisor.pool("f").state is not FunctionState.FAILED
        assert bench.answer(await call(bench, JSON, b'{"ends": false}').future) == 1

    on_bench(test)


def test_the_probe_of_a_failed_function_is_not_what_made_it_fail(on_bench: OnBench) -> None:
    """A caller that repeats a deadly request all the time does not keep others from being served after the pause."""
    source = """
    import os
    @edge_function
    def f(value: str) -> int:
        if value == "deadly":
            os._exit(7)
        return 1
    """

    async def test(bench: Bench) -> None:
        await bench.deploy(source, scale=(0, 1))
        for _ in range(LIMIT):
            with pytest.raises(InstanceLost):
                await call(bench, TEXT, b"deadly").future
        pool = bench.supervisor.pool("f")
        assert pool.reason
        crashes = pool._starts._crashes
        await bench.until(lambda: crashes.admits(asyncio.get_running_loop().time()), "the pause is over")
        with pytest.raises(Unavailable):
            call(bench, TEXT, b"deadly")
        assert bench.answer(await call(bench, TEXT, b"harmless").future) == 1
        assert pool.state is FunctionState.SERVING

    on_bench(test)
