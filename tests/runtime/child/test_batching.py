"""When a batch is run, who is in it, and whether batching stays: decisions, with no thread and no clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.spec import Batching
from edgefn_runtime.child.batching import (
    GAIN,
    RETURN,
    SETTLED,
    TURN_ROWS,
    TURN_S,
    TURNS,
    BatchingTrial,
    Gathered,
    Tally,
    TrialClock,
    Verdict,
    Waiting,
    batch_of,
    judge,
    wait_s,
)

FOUR = Batching(4, 0.002)
waiting = st.builds(Waiting, st.integers(0, 2), st.integers(1, 6))


gathered = st.builds(
    Gathered,
    rows=st.integers(1, 9),
    waited_s=st.floats(0, 0.01),
    since_s=st.floats(0, 0.01),
    outside=st.integers(-3, 9),
    missing=st.integers(-3, 9),
    run_s=st.floats(0, 0.1),
)


@given(gathered)
def test_a_batch_runs_when_full_when_its_time_is_up_or_when_all_are_in(now: Gathered) -> None:
    """And else waits for exactly what is left of batch_wait, as long as a handler is outside the model."""
    left = wait_s(now, FOUR)
    assert 0 <= left <= FOUR.wait_s
    if now.rows >= FOUR.rows or (now.outside <= 0 and now.missing <= 0):
        assert left == 0
    elif now.outside > 0:
        assert left == pytest.approx(max(0.0, FOUR.wait_s - now.waited_s))


@given(gathered)
def test_for_those_who_were_there_lately_it_waits_for_part_of_a_run(now: Gathered) -> None:
    """So that nobody coming back costs no more than a third of the rate, whatever batch_wait is."""
    left = wait_s(now._replace(outside=0), Batching(4, 1.0))
    assert left <= RETURN * now.run_s
    assert RETURN / (1 + RETURN) < 0.34


@given(st.lists(waiting, min_size=1), st.integers(2, 8))
def test_a_batch_is_the_oldest_call_and_those_that_fit_beside_it(calls: list[Waiting], most: int) -> None:
    """Of one kind, in their order, none passed over, within the most rows unless the oldest alone is more."""
    places = batch_of(calls, most)
    assert places[0] == 0
    kind = [place for place, call in enumerate(calls) if call.kind == calls[0].kind]
    assert places == kind[: len(places)]
    rows = sum(calls[place].rows for place in places)
    assert rows <= most or places == [0]
    if len(places) < len(kind):
        assert rows + calls[kind[len(places)]].rows > most


@given(st.lists(waiting, max_size=20), st.integers(2, 8))
def test_every_call_is_run_once(calls: list[Waiting], most: int) -> None:
    """Batches taken one after the other come to an end and leave nobody behind."""
    left = list(enumerate(calls))
    run: list[int] = []
    while left:
        places = batch_of([call for _, call in left], most)
        run += [left[place][0] for place in places]
        left = [each for place, each in enumerate(left) if place not in places]
    assert sorted(run) == list(range(len(calls)))


def _trial(batched_rate: float, single_rate: float) -> BatchingTrial:
    """A trial over turns in which the calls ran at these rows a second."""
    trial = BatchingTrial()
    for _ in range(TURNS):
        rate = batched_rate if trial.batched else single_rate
        seconds = max(TURN_S, TURN_ROWS / rate)
        assert trial.ends(Tally(round(rate * seconds), 10, seconds))
    return trial


@given(st.floats(10, 1e5), st.floats(0.1, 10))
def test_batching_stays_where_it_gains_a_tenth(rate: float, gain: float) -> None:
    """Whatever the rates; the figures say what was measured."""
    trial = _trial(rate * gain, rate)
    assert trial.verdict is not None
    assert trial.verdict.gain == pytest.approx(gain, rel=0.1)
    assert trial.batched == trial.verdict.on == (trial.verdict.gain >= GAIN)


def test_both_ways_are_tried_by_turns() -> None:
    """And a turn is not over before it has told enough: rows, and time."""
    trial = BatchingTrial()
    seen = []
    for _ in range(TURNS):
        seen.append(trial.batched)
        assert not trial.ends(Tally(TURN_ROWS - 1, 1, 10 * TURN_S))
        assert not trial.ends(Tally(10 * TURN_ROWS, 1, TURN_S / 2))
        assert trial.ends(Tally(TURN_ROWS, 1, TURN_S))
    assert seen == [True, False] * (TURNS // 2)


def test_the_first_of_each_is_not_counted() -> None:
    """First runs are slow, whichever way they are run."""
    trial = BatchingTrial()
    for turn in range(TURNS):
        slow = 100 if turn == 0 else 1
        assert trial.ends(Tally(TURN_ROWS * (2 if trial.batched else 1), 8, TURN_S * slow))
    assert trial.verdict == Verdict(True, TURN_ROWS * 2 / 8, 2.0)


@pytest.mark.parametrize("rates", [(100.0, 1000.0), (1000.0, 100.0)])
def test_it_is_tried_again_after_a_while(rates: tuple[float, float]) -> None:
    """A decision holds for SETTLED times what it took; then the load may have changed, and so may the decision."""
    trial = _trial(*rates)
    decided = trial.batched
    spent = sum(max(TURN_S, TURN_ROWS / rates[turn % 2]) for turn in range(TURNS))
    assert not trial.ends(Tally(10**6, 1, SETTLED * spent * 0.99))
    assert trial.batched == decided
    assert trial.ends(Tally(10**6, 1, SETTLED * spent * 1.01))
    assert trial.batched
    for _ in range(TURNS):
        rate = 1000.0 if trial.batched != decided else 100.0
        assert trial.ends(Tally(round(rate), 1, 1.0))
    assert trial.batched != decided


def test_judge_compares_rows_a_second() -> None:
    """Not runs: a batch of four in twice the time is twice as good."""
    assert judge(Tally(400, 100, 2.0), Tally(100, 100, 1.0)) == Verdict(True, 4.0, 2.0)


def test_a_turn_counts_no_work_of_the_one_before() -> None:
    """Calls that came in it and go after it are left out, and so is the time until the last of them is out."""
    turns = TrialClock()
    now, found = 0.0, None
    while found is None:  # eight callers: single runs go out every 20 ms, a batch of eight takes 10 ms
        came = [turns.came(now) for _ in range(8)]
        if turns.batched:
            now += 0.010
            found = turns.went([(turn, 1) for turn in came], now)
        else:
            for turn in came:
                now += 0.020
                found = turns.went([(turn, 1)], now) or found
        assert now < 100
    assert found.on
    assert found.rows == 8.0
    assert found.gain == pytest.approx(16.0, rel=0.15)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 0.2)), max_size=300))
def test_any_coming_and_going_is_counted_right(steps: list[tuple[bool, float]]) -> None:
    """Nobody is inside who has left, whatever the order, and the turns go on."""
    turns = TrialClock()
    inside: list[int] = []
    now = 0.0
    for comes, seconds in steps:
        now += seconds
        if comes or not inside:
            inside.append(turns.came(now))
        else:
            turns.went([(inside.pop(0), 1)], now)
        assert turns.inside == len(inside)
