"""The circuit breaker for functions whose instances die while they serve: properties over all histories."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.scheduling.backoff import MAX_S
from edgefn_runtime.scheduling.crashes import LIMIT, Crashes

HOW = "was killed by SIGSEGV"
STEPS = st.lists(
    st.tuples(st.sampled_from(["crash", "answer", "probe", "probe ended"]), st.floats(0, 200)), max_size=60
)


def failing(crashes: int = LIMIT, now: float = 0.0) -> Crashes:
    """After so many crashes in a row, all at once."""
    breaker = Crashes()
    for _ in range(crashes):
        breaker.crashed(HOW, now)
    return breaker


@given(st.lists(st.integers(0, LIMIT - 1), max_size=50))
def test_crashes_among_answers_never_make_a_function_fail(rows: list[int]) -> None:
    """However many crashes there are: as long as each few are followed by an answer, everybody is let in."""
    breaker = Crashes()
    for row in rows:
        for _ in range(row):
            breaker.crashed(HOW, 0.0)
            assert breaker.admits(0.0)
        breaker.answered()
    assert not breaker.failing


@given(STEPS)
def test_it_fails_exactly_after_so_many_in_a_row(steps: list[tuple[str, float]]) -> None:
    """Failing means that the last LIMIT verdicts were crashes; how probes went their way changes nothing of that."""
    breaker, now, row = Crashes(), 0.0, 0
    for step, wait in steps:
        now += wait
        if step == "crash":
            breaker.crashed(HOW, now)
            row += 1
        elif step == "answer":
            breaker.answered()
            row = 0
        elif step == "probe" and breaker.failing and breaker.admits(now):
            breaker.probe()
        elif step == "probe ended":
            breaker.probe_ended()
        assert breaker.failing == (row >= LIMIT)
        assert 1 <= breaker.retry_after_s(now) <= MAX_S


@given(STEPS)
def test_no_function_is_left_alone_for_ever(steps: list[tuple[str, float]]) -> None:
    """Whatever happened: without a probe, somebody is let in after the longest pause; an answer lets all in."""
    breaker, now = Crashes(), 0.0
    for step, wait in steps:
        now += wait
        {
            "crash": lambda: breaker.crashed(HOW, now),  # noqa: B023
            "answer": breaker.answered,
            "probe": breaker.probe,
            "probe ended": breaker.probe_ended,
        }[step]()
    breaker.probe_ended()
    assert breaker.admits(now + MAX_S)
    breaker.answered()
    assert breaker.admits(now)


def test_one_probe_after_each_pause_and_the_pauses_grow() -> None:
    """Refused for 1 s, one is let in and no second beside it; when it crashes, 2 s, then 4 s."""
    breaker, now = failing(), 0.0
    for pause in (1.0, 2.0, 4.0):
        assert not breaker.admits(now + pause - 0.01)
        now += pause
        assert breaker.admits(now)
        breaker.probe()
        assert not breaker.admits(now)
        breaker.crashed(HOW, now)


@given(st.integers(LIMIT, 50))
def test_a_crowd_that_crashes_together_is_one_failure(crowd: int) -> None:
    """Instances that were already at work when the pause began do not lengthen it."""
    assert failing(crowd).retry_after_s(0.0) == 1
    assert failing(crowd).in_a_row == crowd


def test_a_probe_that_tells_nothing_makes_room_for_another() -> None:
    """Its client left: the next one is let in."""
    breaker = failing()
    breaker.probe()
    assert not breaker.admits(5.0)
    breaker.probe_ended()
    assert breaker.admits(5.0)


@given(st.integers(0, 5), st.floats(0, 300))
def test_a_suspect_is_the_probe_only_where_nobody_else_comes(pauses: int, wait: float) -> None:
    """Others are let in for as long as the pause was before what was lost in a crash is; then that is, too."""
    breaker, now = Crashes(), 0.0
    for _ in range(LIMIT + pauses):
        breaker.crashed(HOW, now, [b"deadly"])
        now += breaker.retry_after_s(now)
    if breaker.admits(now + wait, b"deadly"):
        assert breaker.admits(now + wait, b"other")
    assert breaker.admits(now + 2 * MAX_S, b"deadly")
    assert breaker.retry_after_s(now, b"deadly") >= breaker.retry_after_s(now, b"other")
