"""Admission, backoff, allowances and lifecycle: small decisions, each a property."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.scheduling.admission import MAX_RETRY_AFTER_S, admits, retry_after_s
from edgefn_runtime.scheduling.allowance import Allowance
from edgefn_runtime.scheduling.backoff import MAX_S, pause_s
from edgefn_runtime.scheduling.lifecycle import FunctionState, function_state


@given(st.integers(0, 1000), st.integers(1, 100), st.integers(0, 1000))
def test_the_queue_never_grows_past_its_places(inside: int, slots: int, queue: int) -> None:
    """A request is admitted only where it leaves at most `queue` waiting when all slots are taken."""
    assert admits(inside, slots, queue) == (inside + 1 - slots <= queue)


def test_a_function_without_a_queue_can_still_be_started() -> None:
    """queue=0 from zero instances: the first request is let in, to start one."""
    assert admits(0, 1, 0)
    assert not admits(1, 1, 0)


@given(st.floats(allow_nan=False))
def test_retry_after_is_a_whole_number_of_seconds_that_a_client_can_wait(seconds: float) -> None:
    """1 to 60, and no less than expected within these, whatever was measured."""
    waits = retry_after_s(seconds)
    assert 1 <= waits <= MAX_RETRY_AFTER_S
    assert waits >= min(seconds, MAX_RETRY_AFTER_S)


@given(st.integers(0, 10_000))
def test_pauses_grow_and_are_bounded(failures: int) -> None:
    """Each failure waits at least as long as the one before; none for ever."""
    assert 0 <= pause_s(failures) <= pause_s(failures + 1) <= MAX_S
    assert pause_s(0) == 0


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 50)), max_size=60))
def test_no_more_is_used_than_is_allowed(steps: list[tuple[float, float]]) -> None:
    """Over any time: at most the burst, the rate times the time, and the one use that went over; after a rest, more."""
    allowance, now, used = Allowance(rate=10, burst=20), 0.0, 0.0
    for wait, units in steps:
        now += wait
        if allowance.use(units, now):
            used += units
        assert used <= 20 + 10 * now + 50
    assert allowance.use(1, now + 10) or used == 0


def test_each_function_state_is_what_its_processes_say() -> None:
    """Crashing beats serving beats starting beats failing beats parked beats idle."""

    def state(ready: int, starting: int, template: bool, failing: bool, crashing: bool = False) -> FunctionState:
        return function_state(ready=ready, starting=starting, template=template, failing=failing, crashing=crashing)

    assert state(1, 1, True, True) is FunctionState.SERVING
    assert state(0, 1, True, True) is FunctionState.STARTING
    assert state(0, 0, False, True) is FunctionState.FAILED
    assert state(0, 0, True, False) is FunctionState.PARKED
    assert state(0, 0, False, False) is FunctionState.IDLE
    assert state(1, 0, True, False, crashing=True) is FunctionState.FAILED
