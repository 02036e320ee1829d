"""A cold request against a warm one, for the real classifier, from the client's side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from functools import partial

from benchmarks import classifier
from benchmarks.figure import Figure, spread
from tests.road.box import RunningBox
from tests.road.processes import kill9

ROUNDS = 15
WARM_CALLS = 10
BOUND = 4.0


def measure() -> Iterator[Figure]:
    """Milliseconds, and cold over warm, with the two taken in turns on one box."""
    with classifier.running() as box:
        call = partial(classifier.call, box, classifier.photo())
        call()
        stopped, parked, warm = [], [], []
        for _ in range(ROUNDS):
            box.stop_function(classifier.NAME)
            stopped.append(call())
            warm += [call() for _ in range(WARM_CALLS)]
            park(box)
            parked.append(call())
    yield figure("warm request", warm, f"median of {len(warm)} one after the other")
    yield figure("cold request, parked", parked, f"the instance is gone, its template is there; {ROUNDS} times")
    yield figure("cold request, stopped", stopped, f"no process of the function is there; {ROUNDS} times")
    usual = statistics.median(warm)
    yield Figure("cold / warm, parked", statistics.median(parked) / usual, "x", "ratio of the medians", BOUND)
    yield Figure("cold / warm, stopped", statistics.median(stopped) / usual, "x", "ratio of the medians", BOUND)


def figure(name: str, seconds: list[float], how: str) -> Figure:
    milliseconds = [value * 1e3 for value in seconds]
    return Figure(name, statistics.median(milliseconds), "ms", f"{how} ({spread(milliseconds)})")


def park(box: RunningBox) -> None:
    """The function has its template and no instance, as after its idle time."""
    for instance in box.status(classifier.NAME)["instances"]:
        kill9(instance["pid"])
    box.until("it is parked", classifier.NAME, has_no_instance())


def has_no_instance() -> Callable[[dict[str, object]], bool]:
    return lambda status: not status["instances"]
