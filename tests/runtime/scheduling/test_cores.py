"""Threads and instances by what the machine has and what the instances use: over all inputs, and simulated."""

from __future__ import annotations

import heapq
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.spec import Optimize
from edgefn_runtime.scheduling import autoscaler
from edgefn_runtime.scheduling.cores import HALF_LIFE_S, KNOWN_S, CpuShare, Use, bound, threads_of, within

OPTIMIZE: tuple[Optimize, ...] = ("throughput", "latency")
optimizes = st.sampled_from(OPTIMIZE)
cores = st.floats(0.1, 256)
uses = st.floats(0, 300)
scales = st.tuples(st.integers(0, 50), st.integers(1, 50)).map(lambda ends: (min(ends), max(ends)))


@given(st.integers(1, 256), optimizes, cores, st.integers(1, 128))
def test_what_is_asked_for_is_given(asked: int, optimize: Optimize, machine: float, physical: int) -> None:
    """threads=N is N threads, on every box."""
    assert threads_of(asked, optimize, CpuShare(machine, physical)) == asked


@given(cores, st.integers(1, 128))
def test_threads_by_what_is_to_be_good(machine: float, physical: int) -> None:
    """One for throughput; for latency as many as there are cores proper, within the quota, and never none."""
    assert threads_of(0, "throughput", CpuShare(machine, physical)) == 1
    threads = threads_of(0, "latency", CpuShare(machine, physical))
    assert 1 <= threads <= physical
    assert threads == 1 or threads <= machine


@given(uses, st.integers(1, 64), cores)
def test_the_cores_bound_what_is_worth_having(use: float, threads: int, machine: float) -> None:
    """For throughput the instances can use all cores, and the last of them still gets a part; for latency no more."""
    most = bound(use, threads, "throughput", machine).most
    fewer = bound(use, threads, "latency", machine).most
    assert most is not None
    assert fewer is not None
    assert 1 <= fewer <= most
    assert most * max(use, 1e-4) >= 0.74 * min(machine, most * use)
    assert (most - 1) * use < machine
    assert fewer == 1 or (fewer - 0.26) * use <= machine


@given(uses, uses, st.integers(1, 64), optimizes, cores)
def test_who_uses_less_may_be_more(one: float, other: float, threads: int, optimize: Optimize, machine: float) -> None:
    """The bound falls as the use rises, and rises with the cores."""
    less, more = sorted((one, other))
    few, many = bound(more, threads, optimize, machine).most, bound(less, threads, optimize, machine).most
    wider = bound(more, threads, optimize, machine * 2).most
    assert few is not None
    assert many is not None
    assert wider is not None
    assert few <= many
    assert few <= wider


@pytest.mark.parametrize(
    ("use", "threads", "optimize", "machine", "most"),
    [
        (None, 1, "throughput", 2, None),  # nothing is known: as scale says
        (None, 2, "latency", 4, 2),
        (None, 8, "throughput", 4, 1),
        (0.97, 1, "throughput", 2, 2),  # a third instance would have 0.03 of a core
        (1.05, 1, "throughput", 2, 2),
        (0.5, 1, "throughput", 2, 4),
        (0.01, 1, "throughput", 2, 200),
        (0.0, 1, "throughput", 2, 20000),
        (1.7, 2, "latency", 2, 1),
        (0.98, 1, "latency", 4, 4),
        (0.02, 2, "latency", 2, 100),
        (1.0, 1, "throughput", 0.5, 1),
    ],
)
def test_examples(use: float | None, threads: int, optimize: Optimize, machine: float, most: int | None) -> None:
    """As docs/cores.md tells them."""
    assert bound(use, threads, optimize, machine).most == most


def test_it_says_why() -> None:
    """For `edgefn status`."""
    assert bound(0.97, 1, "throughput", 2).why == "2 cores ÷ 0.97 cores that a busy instance uses"
    assert bound(0.97, 1, "throughput", 1).why.startswith("1 core ÷")
    assert bound(None, 2, "latency", 1.5).why == "1.5 cores ÷ 2 threads, not measured yet"


@given(scales, st.none() | st.integers(-1, 100))
def test_scale_stays_what_was_asked_for(scale: tuple[int, int], most: int | None) -> None:
    """The lower end is kept, one instance is always allowed, and the upper end is never raised."""
    fewest, bounded = within(scale, most)
    assert fewest == scale[0]
    assert max(1, fewest) <= bounded <= scale[1]
    assert most is None or bounded <= max(most, fewest, 1)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 10)), min_size=1))
def test_the_mean_lies_between_what_was_seen(seen: list[tuple[float, float]]) -> None:
    """Weighted by work; unknown until there was enough of it."""
    use = Use()
    for share, busy_s in seen:
        use.add(share * busy_s, busy_s)
    shares = [share for share, _ in seen]
    if math.fsum(busy_s for _, busy_s in seen) < KNOWN_S:
        assert use.cores is None or use.cores >= 0
    else:
        assert use.cores is None or min(shares) - 1e-9 <= use.cores <= max(shares) + 1e-9


def test_what_was_long_ago_is_forgotten() -> None:
    """A handler that computed for an hour and waits now is known to wait after some half-lives of work."""
    use = Use()
    use.add(3600, 3600)
    for _ in range(60):
        use.add(0, HALF_LIFE_S / 10)
    assert use.cores is not None
    assert use.cores < 0.05


@given(st.floats(-1, 0), st.floats(-1, 1))
def test_clocks_that_run_backwards_are_not_believed(busy_s: float, wanted_s: float) -> None:
    """A thread that ended takes its figures along; nothing is divided by nothing."""
    use = Use()
    use.add(wanted_s, busy_s)
    assert use.cores is None


def _simulate(cpu_s: float, wait_s: float, machine: int, scale: tuple[int, int], seed: int) -> tuple[int, float]:
    """(most instances at once, answers a second): 32 callers at all times, instances that compute and wait by turns.

    Cores are handed out in time slices of a millisecond, to instances by turns; what each wants is measured as the
    box does it, by core time had and queued for.
    """
    draw, use, slice_s, total_s = Random(seed), Use(), 0.001, 20.0
    left: list[float] = []  # core time that each instance still needs for its call; below 0 it waits until a moment
    wakes: list[tuple[float, int]] = []
    wanted: list[float] = []
    answers = most = turn = 0
    now = 0.0
    while now < total_s:
        limits = autoscaler.ScaleLimits(within(scale, bound(use.cores, 1, "throughput", machine).most), 1, 60.0)
        load = autoscaler.Load(32 - len(left), len(left), len(left), 0)
        for _ in range(autoscaler.to_start(load, limits)):
            left.append(draw.uniform(0.5, 1) * cpu_s)
            wanted.append(0.0)
        most = max(most, len(left))
        while wakes and wakes[0][0] <= now:
            _, number = heapq.heappop(wakes)
            left[number] = cpu_s
            answers += 1
        ready = [number for number, needs in enumerate(left) if needs > 0]
        turn += 1
        running = [ready[(turn + step) % len(ready)] for step in range(min(machine, len(ready)))]
        for number in ready:
            wanted[number] += slice_s
        for number in running:
            left[number] -= slice_s
            if left[number] <= 0:
                heapq.heappush(wakes, (now + wait_s, number))
        now += slice_s
        if turn % 100 == 0:
            for number, amount in enumerate(wanted):
                use.add(amount, 100 * slice_s)
                wanted[number] = 0.0
    return most, answers / total_s


@pytest.mark.parametrize("machine", [1, 2, 4])
def test_a_handler_that_sleeps_is_not_bounded(machine: int) -> None:
    """2 ms of work and 200 ms of waiting: all instances that scale allows, and they pay."""
    most, rate = _simulate(0.002, 0.2, machine, (1, 8), seed=machine)
    assert most == 8
    assert rate > 0.9 * 8 / 0.202


@pytest.mark.parametrize("machine", [1, 2, 4])
def test_a_handler_that_computes_is_bounded_by_the_cores(machine: int) -> None:
    """The bound costs no answers: as many a second as with all the instances that scale allows."""
    use = Use()
    use.add(0.98, 1.0)
    most = bound(use.cores, 1, "throughput", machine).most
    assert most == machine
    _, bounded = _simulate(0.05, 0.001, machine, (1, most), seed=machine)
    _, free = _simulate(0.05, 0.001, machine, (8, 8), seed=machine)
    assert bounded > 0.93 * free


def test_instances_that_compete_do_not_seem_to_want_less() -> None:
    """Eight that compute on two cores have a quarter of one each; they want a whole one, and that is what counts."""
    had, wanted = Use(), Use()
    for _ in range(8):
        had.add(0.25, 1.0)
        wanted.add(0.25 + 0.75, 1.0)
    assert bound(had.cores, 1, "throughput", 2).most == 8
    assert bound(wanted.cores, 1, "throughput", 2).most == 2
