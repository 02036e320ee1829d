"""Figures: medians of pairs, bounds on either side, and what is said of them."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.__main__ import SUBJECTS, table
from benchmarks.figure import Better, Figure, median, ratio

VALUES = st.lists(st.floats(0.01, 1e6), min_size=2, max_size=30)


@pytest.mark.parametrize(
    ("value", "better", "holds"), [(2.0, "less", True), (2.1, "less", False), (2.0, "more", True), (1.9, "more", False)]
)
def test_a_bound_is_kept_up_to_itself(value: float, better: Better, holds: bool) -> None:
    """At the bound it holds, beyond it not, on the side that is better; without one there is no verdict."""
    assert Figure("f", value, "ms", "how", 2.0, better).holds is holds
    assert Figure("f", value, "ms", "how").holds is None


@given(VALUES, st.floats(0.5, 2.0), st.floats(0.1, 10.0))
def test_a_ratio_of_pairs_does_not_see_what_slows_both(values: list[float], share: float, slow: float) -> None:
    """Where half of the pairs are taken on a machine `slow` times as slow, the ratio stays what it is."""
    under = [value * (slow if place % 2 else 1.0) for place, value in enumerate(values)]
    over = [value * share for value in under]
    assert ratio("r", over, under).value == pytest.approx(share)


@given(VALUES)
def test_a_median_tells_its_spread(values: list[float]) -> None:
    """The value is the median; the words hold the quarters."""
    figure = median("m", values, "ms", "how")
    assert figure.value == statistics.median(values)
    assert figure.how.startswith("how (p25 ")


def test_pairs_that_do_not_pair_are_an_error() -> None:
    """A round that one side lacks is no pair."""
    with pytest.raises(ValueError):
        ratio("r", [1.0, 2.0], [1.0])


def test_the_table_has_a_row_for_each_figure_and_each_subject() -> None:
    """In the order they were measured in, subjects as headings."""
    figures = [Figure("one", 1.0, "ms", "how", 2.0), Figure("two", 3.0, "x", "how", 2.0)]
    drawn = table(dict.fromkeys(SUBJECTS, figures))
    assert drawn.row_count == 3 * len(SUBJECTS)
