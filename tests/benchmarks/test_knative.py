"""Knative's rule: its properties over all loads, and the behaviour its documentation describes."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.knative import Autoscaler, Concurrency, Settings

STEPS = st.lists(st.tuples(st.floats(0.001, 100), st.integers(0, 100)), min_size=1, max_size=40)


@st.composite
def asked_for(draw: st.DrawFn) -> Settings:
    scale = draw(st.integers(0, 3)), draw(st.integers(3, 20))
    cores, concurrency = draw(st.integers(0, 8)), draw(st.integers(1, 8))
    return Settings(scale, cores, concurrency, down_delay_s=draw(st.sampled_from([0.0, 5.0, 60.0])))


@settings(deadline=None)
@given(STEPS, st.integers(1, 60))
def test_an_average_lies_between_the_least_and_the_most(steps: list[tuple[float, int]], window_s: int) -> None:
    """Over any window; and what is held does not grow with the samples."""
    seen, now = Concurrency(60), 0.0
    for seconds, inside in steps:
        seen.sample(now, inside)
        now += seconds
    counts = [inside for _, inside in steps]
    assert min(counts) - 1e-6 <= seen.average(now, window_s) <= max(counts) + 1e-6
    assert len(seen._areas) <= 61


@settings(deadline=None)
@given(STEPS, asked_for(), st.integers(0, 20))
def test_desired_stays_within_scale_and_cores(steps: list[tuple[float, int]], asked: Settings, ready: int) -> None:
    """Whatever the load: never below the fewest, never above the most or the cores."""
    rule, now = Autoscaler(asked), 0.0
    for seconds, inside in steps:
        rule.sample(now, inside)
        now += seconds
        assert asked.scale[0] <= rule.desired(now, ready) <= asked.most <= asked.scale[1]


@settings(deadline=None)
@given(st.integers(1, 14), st.integers(60, 300))
def test_a_steady_load_gets_what_it_needs(inside: int, seconds: int) -> None:
    """After a stable window: ceil(concurrency / (target x utilisation))."""
    rule = Autoscaler(Settings(scale=(0, 20)))
    rule.sample(0.0, inside)
    assert rule.desired(float(seconds), ready=inside) == math.ceil(inside / 0.7)


@settings(deadline=None)
@given(STEPS, st.integers(0, 3))
def test_panic_never_scales_down(steps: list[tuple[float, int]], ready: int) -> None:
    """As long as it lasts, each desired count is at least the one before."""
    rule, now, before = Autoscaler(Settings(scale=(0, 100))), 0.0, 0
    for seconds, inside in steps:
        rule.sample(now, inside)
        now += seconds
        count = rule.desired(now, ready)
        assert not rule.panicking or count >= before
        before = count if rule.panicking else 0


def surge() -> Autoscaler:
    """A minute of one request inside, then six seconds of ten."""
    rule = Autoscaler(Settings(scale=(0, 20)))
    rule.sample(0.0, 1)
    assert rule.desired(60.0, ready=2) == 2
    rule.sample(60.0, 10)
    return rule


def test_a_surge_is_seen_in_the_panic_window_and_not_in_the_stable_one() -> None:
    """Twice what there is, within six seconds: panic, and instances for the surge at once."""
    rule = surge()
    assert rule.desired(66.0, ready=2) >= 13
    assert rule.panicking


def test_panic_ends_a_stable_window_after_the_surge() -> None:
    """Then the count follows the stable average, by half at a time."""
    rule = surge()
    most = rule.desired(66.0, ready=2)
    rule.sample(66.0, 0)
    assert rule.desired(120.0, ready=most) == most
    assert rule.desired(127.0, ready=most) == most // 2
    assert not rule.panicking


@pytest.mark.parametrize("delay_s", [10.0, 60.0])
def test_the_way_down_waits_for_the_delay(delay_s: float) -> None:
    """The largest count of the delay stands; after it the count falls."""
    rule = Autoscaler(Settings(scale=(0, 20), down_delay_s=delay_s, panic_threshold=100.0))
    rule.sample(0.0, 7)
    assert rule.desired(60.0, ready=10) == 10
    rule.sample(60.0, 0)
    assert rule.desired(60.0 + delay_s, ready=10) == 10
    assert rule.desired(62.0 + delay_s, ready=10) < 10
