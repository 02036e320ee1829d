"""A few compared answers say right, wrong or not shown, and never more than they show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.accuracy.answers.share import ALLOWED, TOO_MANY, shown_at_least, told, verdict, wilson


@pytest.mark.parametrize(
    ("differing", "of", "expected"),
    [
        (0, 16, "right"),
        (1, 16, "not shown"),
        (2, 16, "wrong"),
        (2, 27, "wrong"),
        (2, 28, "not shown"),
        (3, 98, "wrong"),
        (4, 169, "wrong"),
        (0, 116, "right"),
        (1, 188, "right"),
        (2, 259, "right"),
        (0, 0, "not shown"),
    ],
)
def test_int8_is_judged_by_the_sequential_test(differing: int, of: int, expected: str) -> None:
    """Wald's test with 0.5 % against 3 %: two of sixteen are wrong, one of sixteen shows nothing."""
    assert verdict(of - differing, of, strict=False) == expected


@given(st.integers(1, 500), st.integers(0, 500))
def test_a_float_artifact_must_match_always(of: int, differing: int) -> None:
    """One answer of a float artifact that differs is wrong."""
    differing = min(differing, of)
    assert verdict(of - differing, of, strict=True) == ("wrong" if differing else "right")


@given(st.integers(1, 500), st.integers(0, 500))
def test_more_mismatches_are_never_better(of: int, differing: int) -> None:
    """With one more answer that differs the verdict is the same or worse."""
    order = ("right", "not shown", "wrong")
    fewer, more = min(differing, of), min(differing + 1, of)
    found = [order.index(verdict(of - count, of, strict=False)) for count in (fewer, more)]
    assert found[0] <= found[1]


@given(st.integers(0, 200), st.integers(1, 200))
def test_the_interval_holds_the_share(matched: int, of: int) -> None:
    """Wilson's interval lies in 0..1 and holds the share that was seen."""
    matched = min(matched, of)
    low, high = wilson(matched, of)
    assert 0 <= low <= matched / of + 1e-12
    assert matched / of - 1e-12 <= high <= 1


def test_sixteen_show_little() -> None:
    """Sixteen clean answers show 0.83, 59 show 0.95; two of 16 have an interval from 0.64 to 0.965."""
    assert shown_at_least(16, 16) == pytest.approx(0.83, abs=0.005)
    assert shown_at_least(59, 59) == pytest.approx(0.95, abs=0.005)
    assert [*wilson(14, 16)] == pytest.approx([0.64, 0.965], abs=0.005)
    assert told(16, 16) == "16 of 16 (shows at least 0.83)"
    assert ALLOWED < TOO_MANY
