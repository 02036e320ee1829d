"""How many calls an instance is handed early."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.scheduling.handover import MAX_PREFETCH, PREFETCH_S, ServiceTime, prefetch


@given(st.floats(0, 10))
def test_what_lies_before_a_call_is_bounded_in_number_and_in_time(service_s: float) -> None:
    """At most MAX_PREFETCH calls, and at most PREFETCH_S of work, by what was measured."""
    assert 0 <= prefetch(service_s) <= MAX_PREFETCH
    assert prefetch(service_s) * service_s <= PREFETCH_S


def test_calls_that_take_milliseconds_are_not_handed_over_early() -> None:
    """A model call of 12 ms: waking costs nothing beside it, and the least loaded instance is the right one."""
    assert prefetch(0.012) == 0
    assert prefetch(0.0001) == MAX_PREFETCH


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=50))
def test_the_mean_stays_between_the_least_and_the_most_that_was_seen(seconds: list[float]) -> None:
    """It is a mean."""
    service = ServiceTime(seconds[0])
    for each in seconds:
        service.add(each)
    assert min(seconds) * 0.999 <= service.mean_s <= max(seconds) * 1.001


def test_one_slow_call_counts_at_once() -> None:
    """After calls of 0.1 ms, one of 100 ms ends early hand-over."""
    service = ServiceTime(0.0001)
    service.add(0.1)
    assert prefetch(service.mean_s) == 0
