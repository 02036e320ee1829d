"""A cold request against a warm one, from the client's side: the real classifier, and echo."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from benchmarks import stage
from benchmarks.figure import Figure, median, ratio
from benchmarks.stage import CLASSIFIER, ECHO, ONE, PHOTO, Body
from tests.e2e.box import RunningBox
from tests.e2e.processes import kill9

ROUNDS = 15
WARM_CALLS = 10
STOPPED, PARKED, COLD_ECHO_MS = 2.0, 1.5, 25.0
PHASES = ("sandbox", "import", "session", "template", "fork", "first_run")


def measure() -> Iterator[Figure]:
    """Cold over warm, the two taken in turns on one box; milliseconds of both."""
    with stage.running(stage.workshop().of(CLASSIFIER), stage.workshop().of(ECHO)) as box:
        yield from of_classifier(box)
        yield from of_echo(box)


def of_classifier(box: RunningBox) -> Iterator[Figure]:
    phases: list[dict[str, float]] = []
    stopped, parked, warm = rounds(box, CLASSIFIER, PHOTO, phases)
    yield median("classify_image, warm", warm, "ms", f"{PHOTO.size:,} bytes of JPEG, median of {WARM_CALLS} a round")
    yield median("classify_image, parked", parked, "ms", "the instance is gone, its template is there")
    yield median("classify_image, stopped", stopped, "ms", "nothing but the zygote is there")
    yield ratio("cold / warm, stopped", stopped, warm, bound=STOPPED)
    yield ratio("cold / warm, parked", parked, warm, bound=PARKED)
    for phase in PHASES:
        values = [of[f"{phase}_s"] * 1e3 for of in phases]
        yield median(f"phase {phase}", values, "ms", "as the box itself says, of the starts from nothing")


def of_echo(box: RunningBox) -> Iterator[Figure]:
    stopped, _, warm = rounds(box, ECHO, ONE, [])
    yield median("echo, warm", warm, "ms", f"median of {WARM_CALLS} a round")
    yield median("cold echo", stopped, "ms", f"nothing but the zygote is there; {ROUNDS} times", COLD_ECHO_MS)


def rounds(
    box: RunningBox, name: str, body: Body, phases: list[dict[str, float]]
) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of a call with nothing there, of one with a parked template, and of the warm ones between.

    `phases` gets what the box says of each start from nothing.
    """
    call = stage.caller(box, name, body)
    call()
    stopped, parked, warm = [], [], []
    for _ in range(ROUNDS):
        box.stop_function(name)
        stopped.append(call() * 1e3)
        phases.append(box.status(name).phases)
        warm.append(statistics.median(call() * 1e3 for _ in range(WARM_CALLS)))
        park(box, name)
        parked.append(call() * 1e3)
    return stopped, parked, warm


def park(box: RunningBox, name: str) -> None:
    """The function has its template and no instance, as after its idle time."""
    for instance in box.status(name).instances:
        kill9(instance.pid)
    box.until("it is parked", name, lambda status: not status.instances)
