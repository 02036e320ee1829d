"""Keep-alive windows: what they promise for any idle times, and what they learn from regular ones."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn_runtime.scheduling.keepalive import BINS, ENOUGH, RANGE, KeepAlive, Windows

MAX_S = 600.0
MIN_S = 60.0
IDLE_TIMES = st.lists(
    st.one_of(
        st.floats(0, 2 * RANGE * MAX_S),
        st.floats(0, MAX_S),
        st.sampled_from([0.0, MIN_S, MAX_S, MAX_S * RANGE, 900.0, 901.0, 1e300, float("inf")]),
    ),
    max_size=80,
)


def learnt(idle_times: list[float], most_s: float = MAX_S) -> KeepAlive:
    """A histogram that has seen these."""
    policy = KeepAlive(most_s)
    for idle_s in idle_times:
        policy.record(idle_s)
    return policy


@settings(deadline=None)
@given(IDLE_TIMES, st.floats(0, 1e6), st.floats(0.01, 86_400))
def test_no_colder_than_a_tenth_and_no_dearer_than_the_most(history: list[float], idle_s: float, most_s: float) -> None:
    """Whatever was learnt and whatever comes: the two promises of KeepAlive."""
    windows = learnt(history, most_s).decide()
    assert windows.catches(idle_s) or idle_s > most_s * 0.1
    assert windows.held_s(idle_s) <= min(idle_s, most_s) * (1 + 1e-9)


@settings(deadline=None)
@given(IDLE_TIMES)
def test_windows_are_in_order(history: list[float]) -> None:
    """Pre-warming comes after the instances have been gone for a while, and has a window to wait in."""
    windows = learnt(history).decide()
    assert MIN_S <= windows.linger_s <= MAX_S
    if windows.prewarm_s:
        assert windows.prewarm_s >= 2 * windows.linger_s
        assert 0 < windows.keep_s <= windows.prewarm_s
    else:
        assert windows.keep_s == 0


@settings(deadline=None)
@given(IDLE_TIMES)
def test_it_survives_a_restart(history: list[float]) -> None:
    """Written and read again it decides and learns the same; its size does not depend on what it has seen."""
    policy = learnt(history)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(policy), type=KeepAlive)
    assert again == policy
    for each in (policy, again):
        each.record(321.0)
    assert again.decide() == policy.decide()
    assert len(msgspec.msgpack.encode(policy)) < 10 * BINS + 100


@pytest.mark.parametrize("damaged", [{"most_s": 600, "bins": [0.0]}, {"most_s": 0}, {"most_s": 600, "more": 1}])
def test_a_damaged_record_is_refused(damaged: dict[str, object]) -> None:
    """Another number of bins would be another histogram."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(damaged, KeepAlive)


@settings(deadline=None)
@given(st.floats(2.6 * MIN_S, 3600), st.integers(ENOUGH, 200))
def test_a_regular_function_is_started_before_each_request(period_s: float, times: int) -> None:
    """From 156 s to an hour: pre-warmed, and held for less than half of the time plus the minute it always stays."""
    windows = learnt([period_s] * times).decide()
    assert windows.prewarm_s > 0
    assert windows.catches(period_s)
    assert windows.catches(period_s * 0.97)
    assert windows.catches(period_s * 1.03)
    assert windows.held_s(period_s) <= MIN_S + 0.12 * period_s


@settings(deadline=None)
@given(st.floats(MIN_S + 1, MAX_S / 1.1), st.integers(ENOUGH, 100))
def test_what_came_back_within_the_longest_window_does_so_again(idle_s: float, times: int) -> None:
    """A function that has only known one idle time is warm after it."""
    assert learnt([idle_s] * times).decide().catches(idle_s)


def test_with_few_samples_the_most_is_kept() -> None:
    """Before it knows, it errs on the warm side."""
    assert learnt([900.0] * (ENOUGH - 1)).decide() == Windows(MAX_S) == KeepAlive(MAX_S).decide()


def test_beyond_the_histogram_nothing_is_held_for_what_will_not_come() -> None:
    """Idle times of a day: the least. Half of them short: kept again."""
    days = [86_400.0] * 20
    assert learnt(days).decide() == Windows(MIN_S)
    assert learnt(days + [200.0] * 60).decide().linger_s > 200


def test_short_idle_times_teach_nothing() -> None:
    """A million requests within a burst do not push the pauses between the bursts out of the histogram."""
    policy = learnt([900.0] * 20)
    before = policy.decide()
    assert not policy.record(MIN_S)
    assert not any(policy.record(0.001) for _ in range(1000))
    assert policy.decide() == before
    assert before.catches(900.0)


def test_it_follows_change() -> None:
    """A timer of 15 minutes becomes one of 30: after a few hundred at most the new one is caught for little memory."""
    policy = learnt([900.0] * 1000 + [1800.0] * 300)
    windows = policy.decide()
    assert windows.catches(1800.0)
    assert not windows.catches(900.0)


def test_weights_stay_finite() -> None:
    """A million samples are as good as a hundred."""
    policy = learnt([900.0] * 20_000)
    assert policy.weight <= 2.0**41
    assert policy.decide().catches(900.0)
