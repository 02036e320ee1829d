"""From the command that starts a box to its first correct answer, the functions deployed before."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import bare, stage
from benchmarks.figure import Figure, median
from benchmarks.stage import CLASSIFIER, ECHO, ONE, PHOTO, Body, Caller
from tests.e2e.box import RunningBox
from tests.e2e.deadline import eventually

STARTS = 9
BOUND_S = 0.8
LATEST_S = 30.0


class Times(NamedTuple):
    """Seconds since the command."""

    listening: float
    ready: float
    answered: float


def measure() -> Iterator[Figure]:
    """Seconds to the first answer of each function, in fresh boxes that take turns."""
    with tempfile.TemporaryDirectory(prefix="edgefn-bench-") as folder:
        home = Path(folder) / "box"
        with RunningBox(home) as box:
            for name in (CLASSIFIER, ECHO):
                box.deploy(stage.workshop().of(name))
        started(home, CLASSIFIER, PHOTO)
        starts = [(started(home, CLASSIFIER, PHOTO), started(home, ECHO, ONE)) for _ in range(STARTS)]
    photos, ones = ([start[place] for start in starts] for place in (0, 1))
    listening, ready = (statistics.median(times[place] for times in photos) for place in (0, 1))
    how = f"fresh process to its first answer, {STARTS} times; listening after {listening:.2f} s, zygote {ready:.2f} s"
    yield median("first photo", [times.answered for times in photos], "s", how, BOUND_S)
    yield median("first echo", [times.answered for times in ones], "s", "the same", BOUND_S)


def started(home: Path, name: str, body: Body) -> Times:
    """When a box with `home` that starts now listens, is ready and has answered. Raises when the answer is wrong."""
    port = bare.free_port()
    url = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    with RunningBox(home, options=("--port", str(port)), wait=False), ThreadPoolExecutor(1) as looking:
        listening = when(lambda: bare.listens(port))
        ready = looking.submit(when, lambda: bare.succeeds(f"{url}/readyz", "GET"))
        call = Caller(f"{url}/fn/{name}", body)
        answer = eventually(f"{name} answers", lambda: answer_of(call), seconds=LATEST_S)
        answered = time.perf_counter()
    if not right(name, answer):
        raise RuntimeError(f"the first answer of {name} is wrong: {answer!r}")
    return Times(listening - began, ready.result() - began, answered - began)


def when(holds: Callable[[], bool]) -> float:
    """The moment at which it first holds."""
    eventually("the box gets there", holds, seconds=LATEST_S)
    return time.perf_counter()


def answer_of(call: Caller) -> Any:
    """What the function says; nothing when it was refused, as where a start takes longer than its timeout."""
    try:
        return json.loads(call.answer())
    except RuntimeError:
        return None


def right(name: str, answer: Any) -> bool:
    """Whether this is what the function says to the body that is sent."""
    return bool(answer == {"n": 2} if name == ECHO else answer[0]["label"] == "missile")
