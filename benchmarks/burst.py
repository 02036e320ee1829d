"""A burst on a real box: load, instances and latency over time. `python -m benchmarks.burst` writes docs/burst.svg.

The client is open: it sends when the time has come, whether or not earlier requests were answered.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from benchmarks import stage
from benchmarks.plot import GREY, Panel, steps, svg
from benchmarks.stage import ONE, Caller
from tests.e2e.box import RunningBox

NAME = "on_chip"
PICTURE = Path(__file__).parents[1] / "docs" / "burst.svg"
PHASES = ((1.0, 5.0, 4.0), (5.0, 15.0, 80.0), (15.0, 22.0, 4.0))
"""From, to, requests a second: 80 of 50 ms each are the work of four instances."""
LATER_S = 31.0
"""One request more, when nothing is left of the function's processes but its template."""
UNTIL_S = 38.0
CLIENTS = 64
"""More than are ever inside: a request is never held up by its client."""
LOOK_EVERY_S = 0.1
BLUE, GREEN, RED = "#2563eb", "#059669", "#dc2626"


@dataclass(frozen=True)
class Answered:
    """A request: sent at, answered after, and whether it waited for a start with no instance there."""

    at: float
    took: float
    cold: bool


@dataclass
class Seen:
    """What the client saw of the answers and of the box's status."""

    answers: list[Answered] = field(default_factory=list)
    instances: list[tuple[float, float]] = field(default_factory=list)
    inside: list[tuple[float, float]] = field(default_factory=list)


def arrivals(seed: int = 1) -> list[float]:
    """When requests are sent: independent of each other, at the rates of PHASES."""
    draw, times = Random(seed), list[float]()
    for begin, end, rate in PHASES:
        now = begin + draw.expovariate(rate)
        while now < end:
            times.append(now)
            now += draw.expovariate(rate)
    return [*times, LATER_S]


def observed(box: RunningBox, times: list[float]) -> Seen:
    """All requests sent in time and answered, the box looked at all the while."""
    seen, own, began = Seen(), threading.local(), time.monotonic() + 0.5

    def send(at: float) -> None:
        call: Caller = own.__dict__.setdefault("call", stage.caller(box, NAME, ONE))
        call()
        seen.answers.append(Answered(at, time.monotonic() - began - at, "desc=cold" in call.server_timing))

    with ThreadPoolExecutor(CLIENTS) as clients, ThreadPoolExecutor(1) as watching:
        watched = watching.submit(watch, box, seen, began)
        sent = []
        for at in times:
            time.sleep(max(0.0, began + at - time.monotonic()))
            sent.append(clients.submit(send, at))
        for one in sent:
            one.result()
        watched.result()
    return seen


def watch(box: RunningBox, seen: Seen, began: float) -> None:
    """What the box says of itself until the end."""
    while (now := max(0.0, time.monotonic() - began)) < UNTIL_S:
        status = box.status(NAME)
        seen.instances.append((now, len(status.instances)))
        seen.inside.append((now, status.queued + sum(one.in_flight for one in status.instances)))
        time.sleep(LOOK_EVERY_S)


def drawn(times: list[float], seen: Seen) -> str:
    """The picture."""
    counts = Counter(int(at * 2) for at in times)
    rates = [(half / 2, 2.0 * counts[half]) for half in range(int(UNTIL_S * 2))]
    load = Panel("load: requests sent, per second", 0, 125, (0, 50, 100))
    load.marks.append(("area", GREY, steps(rates, UNTIL_S)))
    most = 5 * max(2, -(-int(max(inside for _, inside in seen.inside)) // 5))
    instances = Panel("instances; grey: requests inside", 0, most, range(0, most + 1, 5))
    instances.marks.append(("area", GREY, steps(seen.inside, UNTIL_S)))
    instances.marks.append(("line", BLUE, steps(seen.instances, UNTIL_S)))
    latency = Panel("latency, ms", 40, 400, (50, 100, 200, 400), log=True)
    for colour, cold in ((GREEN, False), (RED, True)):
        latency.marks.append(("dots", colour, [(one.at, one.took * 1e3) for one in seen.answers if one.cold is cold]))
    return svg([load, instances, latency], UNTIL_S, [(GREEN, "an instance was there"), (RED, "none was: cold")])


def told(seen: Seen) -> str:
    """The figures for the text beside the picture."""
    begin, end, _ = PHASES[1]
    took = [one.took * 1e3 for one in seen.answers if begin <= one.at < end]
    centiles, most = statistics.quantiles(took, n=100), max(count for _, count in seen.instances)
    soon = next(at for at, count in seen.instances if count == most) - begin
    gone = next(at for at, count in reversed(seen.instances) if count)
    cold = ", ".join(f"{one.took * 1e3:.0f} ms" for one in seen.answers if one.cold)
    return (
        f"{len(seen.answers)} requests answered; in the burst p50 {centiles[49]:.0f}, p99 {centiles[98]:.0f}, "
        f"longest {max(took):.0f} ms; {most:.0f} instances at most, {soon:.1f} s into the burst; "
        f"the last one ended after {gone:.1f} s; cold: {cold}"
    )


def main() -> None:
    """Runs the burst and writes the picture."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.burst", description=__doc__)
    parser.add_argument("--output", type=Path, default=PICTURE, help="where the SVG goes")
    wanted = parser.parse_args()
    times = arrivals()
    with stage.running(stage.workshop().of(NAME)) as box:
        box.stop_function(NAME)
        seen = observed(box, times)
    wanted.output.write_text(drawn(times, seen))
    print(f"{told(seen)}; written to {wanted.output}")


if __name__ == "__main__":
    main()
