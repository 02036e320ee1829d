"""Concurrent calls in threads, gathered and run as one: the answers, the errors, and when it is left."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from edgefn.spec import Batching
from edgefn_runtime.child.batcher import InFlightCalls
from edgefn_runtime.wire.messages import Batched

CALLERS = 8


class Engine:
    """A session that is slow in a way of its own; it keeps the rows of each run."""

    def __init__(self, seconds: Callable[[int], float], *, alone: bool = False) -> None:
        self._seconds = seconds
        self._alone = threading.Lock() if alone else None
        self.runs: list[int] = []

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        x = inputs["x"]
        if (x < 0).any():
            raise ValueError(f"a number below 0: {x.min()}")
        self.runs.append(len(x))
        if self._alone is not None:
            with self._alone:
                time.sleep(self._seconds(len(x)))
        else:
            time.sleep(self._seconds(len(x)))
        return {"y": 3 * x, "sum": x.sum(axis=tuple(range(1, x.ndim)))}


class Handlers:
    """As many handlers at once as an instance would run, each of which calls the model once."""

    def __init__(self, engine: Engine, batching: Batching) -> None:
        self.crowd = InFlightCalls()
        self.session = self.crowd.gather("net", engine, batching)
        self.threads = ThreadPoolExecutor(CALLERS)
        self.found: list[Batched] = []

    def submit(self, *inputs: Any) -> list[Future[Any]]:
        """The handlers are all at work before the first of them calls the model."""
        for _ in inputs:
            self.crowd.came()
        return [self.threads.submit(self._handle, x) for x in inputs]

    def _handle(self, x: Any) -> Any:
        try:
            return self.session.run({"x": np.asarray(x, np.float32)})
        finally:
            self.crowd.went()
            self.found += self.crowd.news()

    def serve_until(self, done: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """All handlers are busy until something is so."""
        deadline = time.monotonic() + seconds

        def caller(number: int) -> None:
            while not done():
                assert time.monotonic() < deadline, f"not in {seconds:g} s: {what}"
                self.crowd.came()
                answer = self._handle([[number, 1.0]])
                np.testing.assert_array_equal(answer["y"], [[3 * number, 3.0]])

        for each in [self.threads.submit(caller, number) for number in range(CALLERS)]:
            each.result()


def test_every_caller_gets_its_own_answer() -> None:
    """Of many calls at once, with different rows, shapes and values, each has what it would have had alone."""
    engine = Engine(lambda _: 0.001)
    handlers = Handlers(engine, Batching(4, 0.01))
    rng = np.random.default_rng(1)
    shapes = [(1 + number % 3, 2 + number % 2) for number in range(400)]
    calls = [rng.integers(0, 100, shape).astype(np.float32) for shape in shapes]
    answers = [each.result() for each in handlers.submit(*calls)]
    for x, answer in zip(calls, answers, strict=True):
        np.testing.assert_array_equal(answer["y"], 3 * x)
        np.testing.assert_array_equal(answer["sum"], x.sum(axis=1))
    assert sum(engine.runs) == sum(rows for rows, _ in shapes)
    assert len(engine.runs) < len(calls), "calls did come together"
    assert max(engine.runs) <= 4


def test_calls_that_wait_are_run_together() -> None:
    """While one run is on, those that come gather: two batches of four for eight callers, not eight runs."""
    engine = Engine(lambda _: 0.05)
    handlers = Handlers(engine, Batching(4, 1.0))
    for each in handlers.submit(*[[[1.0, 2.0]]] * CALLERS):
        each.result()
    assert engine.runs == [4, 4]


def test_a_call_with_nobody_beside_it_waits_for_nobody() -> None:
    """All who could come are in: it runs at once, however long batch_wait is."""
    handlers = Handlers(Engine(lambda _: 0.0), Batching(8, 1.0))
    started = time.monotonic()
    for _ in range(20):
        handlers.submit([[1.0]])[0].result()
    assert time.monotonic() - started < 10, "each would have waited a second"


def test_a_handler_that_leaves_is_not_waited_for() -> None:
    """The last one outside ends without a model call: the call that waited for it runs then."""
    handlers = Handlers(Engine(lambda _: 0.0), Batching(8, 30.0))
    handlers.crowd.came()  # another handler, at work on something else
    (waits,) = handlers.submit([[1.0]])
    with pytest.raises(TimeoutError):
        waits.result(timeout=0.1)
    handlers.crowd.went()
    np.testing.assert_array_equal(waits.result(timeout=10)["y"], [[3.0]])


def test_no_call_waits_longer_than_batch_wait() -> None:
    """A handler that stays outside holds nobody up."""
    handlers = Handlers(Engine(lambda _: 0.0), Batching(8, 0.05))
    handlers.crowd.came()
    started = time.monotonic()
    handlers.submit([[1.0]])[0].result(timeout=30)
    assert time.monotonic() - started >= 0.05


def test_of_a_batch_only_the_bad_call_fails() -> None:
    """Its error is its own; those that were in the run with it have their answers."""
    engine = Engine(lambda _: 0.01)
    handlers = Handlers(engine, Batching(8, 1.0))
    runs = handlers.submit(*[[[-1.0 if number == 3 else number]] for number in range(CALLERS)])
    for number, each in enumerate(runs):
        if number == 3:
            with pytest.raises(ValueError, match="a number below 0: -1"):
                each.result()
        else:
            np.testing.assert_array_equal(each.result()["y"], [[3 * number]])


def test_batcher_disables_itself_when_no_gain() -> None:
    """Where a row costs what it costs, and single runs go side by side, batching is measured to be worse, and left."""
    engine = Engine(lambda rows: 0.002 * rows)
    handlers = Handlers(engine, Batching(8, 0.002))
    handlers.serve_until(lambda: bool(handlers.found), "a trial has ended")
    (found,) = handlers.found
    assert (found.model, found.on) == ("net", False)
    assert found.gain < 1
    engine.runs.clear()
    handlers.serve_until(lambda: len(engine.runs) > 50, "50 runs")
    assert set(engine.runs) == {1}


def test_batching_stays_on_where_it_gains() -> None:
    """Where a run costs the same whatever its rows and only one goes at a time, it is measured to be better."""
    engine = Engine(lambda _: 0.002, alone=True)
    handlers = Handlers(engine, Batching(8, 0.002))
    handlers.serve_until(lambda: bool(handlers.found), "a trial has ended")
    (found,) = handlers.found
    assert found.on
    assert found.gain > 1.1
    assert 1 < found.rows <= 8
    engine.runs.clear()
    handlers.serve_until(lambda: sum(engine.runs) > 100, "100 rows")
    assert max(engine.runs) > 1
