"""What comes too late is refused, and nothing that could be done: by simulation, over all lines."""

from __future__ import annotations

import heapq

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgefn_runtime.scheduling.deadlines import (
    ENOUGH,
    KEPT,
    MARGIN,
    PROBE_S,
    Forecast,
    FreePlaces,
    QueueAhead,
    Recent,
    StartTime,
)

SECONDS = st.floats(1e-4, 100)
PLACES = st.builds(FreePlaces, st.integers(0, 6), st.floats(0, 10))
LINES = st.builds(QueueAhead, st.integers(0, 300), PLACES, PLACES)


def forecast_of(*seconds: float, taught_at: float = 0.0) -> Forecast:
    """A forecast that has seen calls of these durations."""
    forecast = Forecast()
    for each in seconds:
        forecast.service.add(each)
    forecast.taught_at = taught_at
    return forecast


def simulated_begin_s(ahead: int, service_s: float, free: list[float]) -> float:
    """When a call begins that has `ahead` before it, for places that are free at these moments: played through."""
    heapq.heapify(free)
    for _ in range(ahead):
        heapq.heappush(free, heapq.heappop(free) + service_s)
    return free[0]


@settings(deadline=None)
@given(st.integers(0, 200), SECONDS, st.data())
def test_what_could_be_done_in_time_is_never_refused(ahead: int, service_s: float, data: st.DataObject) -> None:
    """Whenever each place is free and each start is over, a call that would be answered in time is let in."""
    ready = [data.draw(st.floats(0, service_s)) for _ in range(data.draw(st.integers(0, 5)))]
    coming = [data.draw(st.floats(0, 10)) for _ in range(data.draw(st.integers(0, 5)))]
    assume(ready or coming)
    line = QueueAhead(
        ahead, FreePlaces(len(ready), min(ready, default=0.0)), FreePlaces(len(coming), min(coming, default=0.0))
    )
    begin_s = simulated_begin_s(ahead, service_s, ready + coming)
    assert line.begin_s(service_s) <= begin_s * (1 + 1e-9) + 1e-9
    assert not forecast_of(*[service_s] * ENOUGH).refuses(line, begin_s + service_s, 1.0)


@given(LINES, st.lists(SECONDS, max_size=ENOUGH - 1), SECONDS)
def test_what_was_not_learnt_refuses_nobody(line: QueueAhead, seconds: list[float], left_s: float) -> None:
    """Before ENOUGH calls were answered every call comes in, however slow they were."""
    assert not forecast_of(*seconds).refuses(line, left_s, 1.0)


@given(st.lists(SECONDS, min_size=ENOUGH, max_size=3 * KEPT), st.integers(1, 8))
def test_with_room_and_time_for_a_call_it_comes_in(seconds: list[float], places: int) -> None:
    """A free place and as much time as the quickest of the last calls took: never refused."""
    forecast = forecast_of(*seconds)
    assert not forecast.refuses(QueueAhead(0, FreePlaces(places)), min(seconds[-KEPT:]), 1.0)


@given(LINES, st.lists(SECONDS, min_size=ENOUGH, max_size=KEPT), SECONDS)
def test_who_is_refused_would_be_refused_behind_more(line: QueueAhead, seconds: list[float], left_s: float) -> None:
    """More calls ahead, or less time, never turn a refusal into an admission."""
    forecast = forecast_of(*seconds, taught_at=1.0)
    later = line._replace(ahead=line.ahead + 1)
    assert forecast.finish_s(later) >= forecast.finish_s(line)
    if forecast.refuses(line, left_s, 1.0):
        assert forecast.refuses(later, left_s, 1.0)
        assert forecast.refuses(line, left_s / 2, 1.0)


@given(SECONDS, st.integers(1, 1000))
def test_a_line_that_is_too_long_is_refused(service_s: float, ahead: int) -> None:
    """One place and calls that all take as long: what is further back than the margin goes away at once."""
    forecast = forecast_of(*[service_s] * KEPT, taught_at=1.0)
    left_s = (ahead + 1) * service_s
    beyond = int((ahead + 1) * (1 + MARGIN)) + 1
    assert forecast.refuses(QueueAhead(beyond, FreePlaces(1)), left_s, 1.0)
    assert not forecast.refuses(QueueAhead(ahead, FreePlaces(1)), left_s * 1.0001, 1.0)


@settings(deadline=None)
@given(st.floats(0.01, 100), st.floats(0.001, 0.5), st.floats(0.01, 20))
def test_a_function_that_got_faster_is_served_again(slow_s: float, faster: float, every_s: float) -> None:
    """All callers too impatient for what was learnt: one is let in within PROBE_S, and once it was quick, all are."""
    forecast = forecast_of(*[slow_s] * KEPT)
    left_s, line, now = slow_s * faster, QueueAhead(), 0.0
    while forecast.refuses(line, left_s, now):
        assert now < PROBE_S + every_s
        now += every_s
    forecast.service.add(left_s)
    forecast.taught_at = now
    assert not any(forecast.refuses(line, left_s, now) for _ in range(10))


@given(st.floats(0.01, 100), st.integers(1, 50))
def test_probes_are_few(slow_s: float, callers: int) -> None:
    """While the forecast holds, one caller in PROBE_S is let in against it, however many there are."""
    forecast = forecast_of(*[slow_s] * KEPT, taught_at=0.0)
    moments = [2 * PROBE_S * number / callers for number in range(callers)]
    assert sum(not forecast.refuses(QueueAhead(), slow_s / 2, now) for now in moments) <= 2


def test_who_has_no_time_for_a_start_is_refused_and_let_in_once_an_instance_is_there() -> None:
    """A cold start of 0.3 s is too long for 0.1 s; were it so for ever, one is let in all the same to see."""
    forecast = forecast_of(*[0.01] * KEPT, taught_at=0.0)
    cold = QueueAhead(0, FreePlaces(0), FreePlaces(1, 0.3))
    assert forecast.refuses(cold, 0.1, 100.0)
    assert not forecast.refuses(cold, 0.35, 100.0)
    assert not forecast.refuses(QueueAhead(), 0.1, 100.0)
    assert forecast.refuses(cold, 0.1, 100.0 + PROBE_S / 2)
    assert not forecast.refuses(cold, 0.1, 100.0 + PROBE_S)


@given(st.lists(SECONDS, min_size=ENOUGH, max_size=KEPT), st.integers(0, 50), st.data())
def test_the_short_way_says_nothing_else(seconds: list[float], waiting: int, data: st.DataObject) -> None:
    """What `spares` lets in, `refuses` lets in, for any line of at most so many before a ready place."""
    forecast = forecast_of(*seconds, taught_at=1.0)
    median_s, left_s = forecast.service.median_s, data.draw(SECONDS)
    ready = FreePlaces(data.draw(st.integers(1, 6)), data.draw(st.floats(0, median_s)))
    line = QueueAhead(data.draw(st.integers(0, waiting)), ready, data.draw(PLACES))
    if forecast.spares(waiting, left_s):
        assert not forecast.refuses(line, left_s, 1.0)


@given(st.lists(SECONDS, max_size=KEPT), SECONDS, st.booleans())
def test_nobody_is_passed_over_without_a_reason(seconds: list[float], left_s: float, others: bool) -> None:
    """Only by what was learnt, and lately; only who has less time than the quickest took, or for others who wait."""
    forecast = forecast_of(*seconds, taught_at=1.0)
    over = forecast.passes_over(left_s, 1.0, others=others)
    assert not forecast.passes_over(left_s, 1.0 + PROBE_S, others=others)
    assert over >= forecast.passes_over(left_s, 1.0, others=False)
    if over:
        assert len(seconds) >= ENOUGH
        assert left_s < (forecast.service.median_s * (1 + MARGIN) if others else min(seconds))


@given(st.lists(SECONDS, min_size=1, max_size=40))
def test_recent_durations_are_told_from_enough_on(seconds: list[float]) -> None:
    """The least and the median of the last KEPT; nothing before ENOUGH."""
    recent = Recent()
    for each in seconds:
        recent.add(each)
    last = sorted(seconds[-KEPT:])
    assert recent.known == (len(seconds) >= ENOUGH)
    assert recent.least_s == (last[0] if recent.known else 0)
    assert recent.median_s == (last[len(last) // 2] if recent.known else 0)


def test_starts_from_a_template_and_without_one_are_learnt_apart() -> None:
    """The least of each kind, once it was seen twice; one start teaches nothing."""
    start = StartTime()
    start.add(0.5, parked=False)
    assert start.expected_s(parked=False) == 0
    start.add(0.4, parked=False)
    for seconds in (0.02, 0.03):
        start.add(seconds, parked=True)
    assert (start.expected_s(parked=False), start.expected_s(parked=True)) == (0.4, 0.02)
