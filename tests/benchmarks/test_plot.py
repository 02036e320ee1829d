"""The picture of a burst: well-formed, and every value where it belongs."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.burst import PHASES, Answered, Seen, arrivals, drawn, told
from benchmarks.plot import HEIGHT, Panel, steps

PANELS = st.sampled_from([Panel("p", 0, 100, ()), Panel("p", 1, 1000, (), log=True)])


@given(PANELS, st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_more_is_never_lower_and_nothing_leaves_its_panel(panel: Panel, one: float, other: float) -> None:
    """On both scales; what lies beyond an edge is drawn on it."""
    low, high = sorted((one, other))
    assert 0 <= panel.height_of(low) <= panel.height_of(high) <= HEIGHT


@given(st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_a_value_holds_until_the_next_one(values: list[int]) -> None:
    """Each is two points; they meet in time and end at the end."""
    points = [(float(second), float(value)) for second, value in enumerate(values)]
    stepped = steps(points, 30.0)
    assert stepped[::2] == points
    assert [value for _, value in stepped[1::2]] == values
    assert [at for at, _ in stepped[1::2]] == [*(at for at, _ in points[1:]), 30.0]


def test_the_picture_is_svg_with_a_dot_for_each_answer() -> None:
    """Warm and cold ones; titles, axis and legend as text."""
    seen = Seen([Answered(1.0, 0.07, True), Answered(6.0, 0.05, False), Answered(7.0, 0.06, False)])
    seen.instances, seen.inside = [(0.0, 0.0), (1.0, 2.0), (9.0, 0.0)], [(0.0, 0.0), (1.0, 3.0)]
    picture = drawn(arrivals(), seen)
    root = ElementTree.fromstring(picture)
    assert root.tag.endswith("svg")
    assert len(re.findall(r"h0", picture)) == 3
    assert {"seconds", "latency, ms", "none was: cold"} <= {element.text for element in root.iter()}
    assert "3 requests answered" in told(seen)


def test_a_seed_is_a_burst() -> None:
    """The same one each time, at the rates that are told."""
    assert arrivals() == arrivals()
    for begin, end, rate in PHASES:
        count = sum(begin <= at < end for at in arrivals())
        assert abs(count - rate * (end - begin)) < 5 * (rate * (end - begin)) ** 0.5
