"""A function on the box beside the same route of the bare app, under wrk's load, in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks import wrk
from benchmarks.bare import Bare
from benchmarks.figure import Figure, median, ratio
from benchmarks.stage import Body
from tests.e2e.box import RunningBox

ROUNDS = 7
SECONDS = 2


@dataclass(frozen=True)
class Bounds:
    """What is promised of each ratio, None where nothing is."""

    rate: float | None = None
    p99: float | None = None
    cpu: float | None = None


def measure(box: RunningBox, bare: Bare, name: str, body: Body, bounds: Bounds, label: str = "") -> Iterator[Figure]:
    """Rate, p99 and processor time of `name` on the box over the bare app's, medians of rounds that take turns."""
    servers = ((f"{box.url}/fn/{name}", box.pid), (f"{bare.url}/{name}", bare.pid))
    ours, theirs = taken(servers, body)
    name = label or name
    rounds = f"wrk, {wrk.CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s in turns; bare: {bare.setting}"
    yield median(f"{name}, rate", [one.rate for one in ours], "/s", rounds)
    yield median(f"{name}, rate of bare", [one.rate for one in theirs], "/s", "the same")
    over, under = [one.rate for one in ours], [one.rate for one in theirs]
    yield ratio(f"{name}, rate / bare", over, under, bound=bounds.rate, better="more")
    over, under = [one.p99_ms for one in ours], [one.p99_ms for one in theirs]
    yield ratio(f"{name}, p99 / bare", over, under, bound=bounds.p99)
    over, under = [one.cpu_us for one in ours], [one.cpu_us for one in theirs]
    yield ratio(f"{name}, CPU / bare", over, under, "the whole box's for a request", bounds.cpu)


def taken(servers: Sequence[tuple[str, int]], body: Body) -> tuple[list[wrk.Load], list[wrk.Load]]:
    """The rounds of two servers, each an address and a process, first one, then the other; both are warm before."""
    with tempfile.TemporaryDirectory(prefix="edgefn-bench-") as folder:
        lua = wrk.script(Path(folder), body)
        for url, pid in servers:
            wrk.load(url, pid, lua, SECONDS)
        rounds = [[wrk.load(url, pid, lua, SECONDS) for url, pid in servers] for _ in range(ROUNDS)]
    if not all(load.rate for loads in rounds for load in loads):
        raise RuntimeError(f"{servers[0][0]}: {SECONDS} s without an answer; is the machine busy with something else?")
    return [ours for ours, _ in rounds], [theirs for _, theirs in rounds]
