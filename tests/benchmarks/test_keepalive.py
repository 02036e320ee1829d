"""The keep-alive simulator: auto is better than either fixed window, and the traces are what they say."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.keepalive.__main__ import better, replayed
from benchmarks.keepalive.simulation import Fixed, replay
from benchmarks.keepalive.traces import TRACES, azure


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_auto_beats_both_fixed_windows_on_every_trace(seed: int) -> None:
    """Fewer cold starts than fixed 60 s and fewer memory-seconds than fixed 10 min, on half a day of each trace."""
    for trace, costs in replayed(seed, 43_200.0).items():
        assert better(costs), (trace, costs)


@given(st.lists(st.floats(0, 1e4)), st.floats(0, 1e4))
def test_a_fixed_window_costs_what_arithmetic_says(idle_times: list[float], idle_s: float) -> None:
    """Cold where the idle time is longer; memory for the shorter of both."""
    cost = replay([idle_times], lambda: Fixed(idle_s))
    assert cost.cold_starts == sum(each > idle_s for each in idle_times)
    assert cost.memory_s == pytest.approx(sum(min(each, idle_s) for each in idle_times))


@pytest.mark.parametrize("trace", TRACES)
def test_a_seed_is_a_trace(trace: str) -> None:
    """The same seed gives the same trace, another one another; none is longer than asked for."""
    made = TRACES[trace](7, 7200.0)
    assert made == TRACES[trace](7, 7200.0)
    assert made != TRACES[trace](8, 7200.0)
    assert all(sum(idle_times) <= 7201.0 for idle_times in made)


def test_the_azure_trace_has_the_published_shape() -> None:
    """Around 45 % of 600 functions have a request an hour or less, 81 % one a minute or less, over ten hours."""
    rates = [len(idle_times) / 10 for idle_times in azure(3, 36_000.0, functions=600)]
    assert statistics.fmean(rate <= 1.1 for rate in rates) == pytest.approx(0.45, abs=0.08)
    assert statistics.fmean(rate <= 61 for rate in rates) == pytest.approx(0.81, abs=0.08)
