"""The autoscaler's properties, over all loads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.scheduling.autoscaler import (
    STABLE_WINDOW_S,
    Load,
    ScaleLimits,
    next_check,
    to_start,
    to_stop,
    wanted,
)

COUNTS = st.integers(0, 50)


@st.composite
def limits(draw: st.DrawFn) -> ScaleLimits:
    fewest = draw(st.integers(0, 5))
    return ScaleLimits((fewest, fewest + draw(st.integers(1, 10))), draw(st.integers(1, 8)), draw(st.floats(0.1, 100)))


@st.composite
def loads(draw: st.DrawFn) -> Load:
    ready = draw(st.integers(0, 15))
    idle = draw(st.lists(st.floats(0, 1000), max_size=ready))
    return Load(draw(COUNTS), draw(COUNTS), ready, draw(st.integers(0, 15)), idle)


@given(loads(), limits())
def test_wanted_stays_within_scale(load: Load, limits: ScaleLimits) -> None:
    """Whatever the load, never fewer than scale[0], never more than scale[1]."""
    assert limits.scale[0] <= wanted(load, limits) <= limits.scale[1]


@given(loads(), limits())
def test_starting_never_passes_the_most(load: Load, limits: ScaleLimits) -> None:
    """Those on their way count."""
    there = load.ready + load.starting
    assert there + to_start(load, limits) <= max(there, limits.scale[1])


@given(loads(), limits())
def test_a_waiting_request_never_waits_for_nothing(load: Load, limits: ScaleLimits) -> None:
    """With a request waiting there is, or will be, an instance for it."""
    if load.waiting:
        assert load.ready + load.starting + to_start(load, limits) >= 1


@given(loads(), limits(), st.floats(0, 2000))
def test_only_expired_idle_instances_end_and_the_fewest_stay(load: Load, limits: ScaleLimits, now: float) -> None:
    """Nothing busy ends; nothing ends early; the last one has its whole `idle`; scale[0] remain."""
    count = to_stop(load, limits, now)
    assert count <= sum(1 for since in load.idle_since if now - since >= min(limits.idle_s, STABLE_WINDOW_S))
    if count == load.ready + load.starting > 0:
        assert sum(1 for since in load.idle_since if now - since >= limits.idle_s) == count
    assert count == 0 or load.ready + load.starting - count >= limits.scale[0]


@given(loads(), limits())
def test_at_the_next_check_an_instance_ends_unless_requests_wait(load: Load, limits: ScaleLimits) -> None:
    """The timer is neither early nor late: at its moment there is something to stop."""
    when = next_check(load, limits)
    if when is not None and not load.waiting:
        assert to_stop(load, limits, when + 1e-6) >= 1


def test_one_more_request_than_slots_starts_one_more_instance() -> None:
    """Concurrency-based: ceil(requests inside / concurrency)."""
    limits = ScaleLimits((0, 4), 2, 60)
    assert to_start(Load(waiting=1, in_flight=4, ready=2, starting=0), limits) == 1
    assert to_start(Load(waiting=0, in_flight=4, ready=2, starting=0), limits) == 0
    assert to_start(Load(waiting=9, in_flight=0, ready=0, starting=1), limits) == 3
