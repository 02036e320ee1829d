"""Two results of a handler match by the kind of their parts, and a reason is a person's words."""

from __future__ import annotations

import dataclasses
import enum
import math
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edgefn import Image
from edgefn.accuracy.answers.limits import BF16, FP16, FP32, INT8, AnswerLimits
from edgefn.accuracy.answers.matching import match
from edgefn.accuracy.answers.spread import spreads
from edgefn.accuracy.answers.values import plain

LIMITS = [FP32, FP16, BF16, INT8]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Reading:
    place: str
    kelvin: float


class Label(msgspec.Struct):
    label: str
    score: float


class Pair(NamedTuple):
    name: str
    number: int


def reason(expected: Any, actual: Any, limits: AnswerLimits = FP32, others: tuple[Any, ...] = ()) -> str:
    """Why `actual` does not match; `others` are eager's answers to other samples."""
    known = spreads(map(plain, (expected, *others))) if others else {}
    return match(plain(expected), plain(actual), limits, known)


FLOATS = st.floats(width=64)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | FLOATS | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.sampled_from(LIMITS))
@settings(max_examples=150, deadline=None)
def test_an_answer_matches_itself(value: Any, limits: AnswerLimits) -> None:
    """Whatever a handler returns matches itself, NaN and infinity among it, with its spread known or not."""
    assert reason(value, value, limits) == ""
    assert reason(value, value, limits, (value, value)) == ""


@given(VALUES, VALUES)
@settings(max_examples=150, deadline=None)
def test_a_comparison_never_fails(expected: Any, actual: Any) -> None:
    """Two results of any types are compared, and a text comes out."""
    assert isinstance(reason(expected, actual, INT8, (actual,)), str)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_numbers_match_both_ways(one: float, other: float) -> None:
    """Whether two numbers match does not depend on which is eager's, but for what the spread has of eager's own."""
    others = (-1e6, 0.0, 1e6)
    assume(not 6e4 < abs(one - other) < 1.2e5)
    assert bool(reason(one, other, INT8, others)) == bool(reason(other, one, INT8, others))


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ("cat", "dog"),
        (3, 4),
        (True, False),
        (None, 0),
        (b"a", b"b"),
        (Colour.RED, Colour.BLUE),
        (Reading("hall", 295.0), Reading("attic", 295.0)),
        (Pair("a", 1), Pair("a", 2)),
        ({"a": 1}, {"a": 1, "b": 2}),
        ([1, 2], [1, 2, 3]),
        ({"a": [{"b": "x"}]}, {"a": [{"b": "y"}]}),
        (math.nan, 1.0),
        (math.inf, 1e308),
        (np.arange(3), np.array([0, 1, 3])),
        ({1, 2}, {1, 3}),
    ],
)
@pytest.mark.parametrize("limits", LIMITS)
def test_another_value_never_matches(expected: Any, actual: Any, limits: AnswerLimits) -> None:
    """Texts, whole numbers, truth values, enums, bytes, fields and lengths must be equal, whatever the precision."""
    assert reason(expected, actual, limits)
    assert reason(actual, expected, limits)


def test_a_number_is_held_against_how_far_eager_moves() -> None:
    """A constant answer to a map of 295 ± 3 K is refused at every precision, an error of a hundredth of that is not."""
    others = (292.0123, 293.5, 296.5, 298.0)
    for limits in LIMITS:
        assert reason(298.0, 295.0, limits, others) == "295 instead of 298"
    assert reason(298.0, 298.02, INT8, others) == ""
    assert reason(298.0, 298.02, FP32, others)


def test_a_rounded_number_may_move_by_one_step() -> None:
    """What a handler rounds may fall on the other side; a flag that is 0.0 or 1.0 may not."""
    assert reason(0.51, 0.52, FP32, (0.11, 0.95, 0.42)) == ""
    assert reason(0.51, 0.53, FP32, (0.11, 0.95, 0.42))
    assert reason(0.0, 1.0, INT8, (1.0, 0.0, 1.0))


@given(st.permutations(["a", "b", "c"]))
def test_ties_may_come_in_any_order(names: list[str]) -> None:
    """Labels whose scores are closer than the bound may be in any order."""
    scores = {"a": 0.30000, "b": 0.300001, "c": 0.299999}
    expected = [Label(name, scores[name]) for name in sorted(scores, key=lambda name: -scores[name])]
    actual = [Label(name, 0.3) for name in names]
    assert reason(expected, actual, FP32) == ""


def test_labels_apart_keep_their_order() -> None:
    """Another first label is told by name; one whose score lies within the bound is not."""
    expected = [Label("cat", 0.52), Label("dog", 0.40), Label("cow", 0.02)]
    swapped = [Label("dog", 0.47), Label("cat", 0.45), Label("cow", 0.02)]
    others = ([Label("cow", 0.9), Label("cat", 0.1), Label("dog", 0.01)],)
    assert reason(expected, swapped, INT8, others)
    flipped = [Label("dog", 0.465), Label("cat", 0.475 - 0.02), Label("cow", 0.02)]
    near = [Label("cat", 0.47), Label("dog", 0.45), Label("cow", 0.02)]
    assert reason(near, flipped, INT8, others) == ""
    drifted = [Label("cat", 0.91), Label("dog", 0.05), Label("cow", 0.02)]
    assert reason(expected, drifted, INT8, others) == "score of 'cat' 0.91 instead of 0.52"
    assert reason([Label("cat", 0.52)], [Label("dog", 0.51)], INT8) == "is 'dog' (0.51) instead of 'cat' (0.52)"


def test_the_last_of_the_best_few_may_change() -> None:
    """The fifth label may be another where both were near the cut, the first may not."""
    expected = [Label("a", 0.5), Label("b", 0.2), Label("c", 0.10)]
    cut = [Label("a", 0.5), Label("b", 0.2), Label("d", 0.11)]
    assert reason(expected, cut, INT8) == ""
    assert "instead of 'a'" in reason(expected, [Label("x", 0.5), Label("b", 0.2), Label("c", 0.1)], INT8)


def test_scores_that_hardly_move_are_held_to_that() -> None:
    """An anomaly's score of 0.012 ± 0.002 may not be a constant, although scores have a bound of 0.05."""
    others = tuple({"kind": "normal", "score": score} for score in (0.010, 0.012, 0.014, 0.016))
    constant = {"kind": "normal", "score": 0.013}
    assert "score" in reason({"kind": "normal", "score": 0.016}, constant, INT8, others)


def detected(*boxes: tuple[float, float, float, float], score: float = 0.9) -> list[dict[str, Any]]:
    """Detections of a handler."""
    return [{"label": "cat", "score": score, "box": list(box)} for box in boxes]


THREE = ((10.0, 10.0, 60.0, 80.0), (100.0, 20.0, 180.0, 90.0), (200.0, 200.0, 260.0, 300.0))


@given(st.permutations(THREE))
def test_boxes_are_a_set(boxes: list[tuple[float, float, float, float]]) -> None:
    """The order of boxes does not matter, at any precision."""
    assert reason(detected(*THREE), detected(*boxes), FP32) == ""


def test_a_blind_detector_is_told() -> None:
    """A detector that finds nothing, another thing, or one thing too many is told in numbers."""
    assert reason(detected(*THREE), [], INT8) == "finds 0 of 3 boxes"
    assert reason([], detected(*THREE), INT8) == "finds 3 boxes that do not exist"
    assert reason(detected(*THREE), detected(*THREE[:2]), INT8) == "finds 2 of 3 boxes"
    dogs = [one | {"label": "dog"} for one in detected(*THREE)]
    assert reason(detected(*THREE), dogs, INT8) == "finds 0 of 3 boxes"


@pytest.mark.parametrize("form", ["struct", "columns", "bare", "array", "corners", "sized"])
def test_boxes_are_recognised(form: str) -> None:
    """A box is known as a field, as columns, as a list under "boxes", as an array, as four fields."""

    def result(shift: float) -> Any:
        boxes = [[left + shift, top, right + shift, bottom] for left, top, right, bottom in THREE]
        match form:
            case "struct":
                return detected(*((a, b, c, d) for a, b, c, d in boxes))
            case "columns":
                return {"boxes": boxes, "scores": [0.9, 0.8, 0.7], "labels": [1, 2, 1]}
            case "bare":
                return {"boxes": boxes}
            case "array":
                return {"boxes": np.array(boxes, np.float32)}
            case "corners":
                return [dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)) for box in boxes]
            case _:
                return [{"x": a, "y": b, "width": c - a, "height": d - b, "label": "cat"} for a, b, c, d in boxes]

    assert reason(result(0.0), result(0.9), INT8) == ""
    assert "box" in reason(result(0.0), result(12.0), INT8)


@pytest.mark.parametrize("unit", [640.0, 1.0])
def test_rounded_corners_may_fall_on_the_other_side(unit: float) -> None:
    """Corners in pixels, or relative to the image, that a handler rounds match when they are one step beside."""
    step, places = (0.1, 1) if unit > 1 else (0.001, 3)
    box = [
        round(0.1 * unit, places),
        round(0.2 * unit, places),
        round(0.113 * unit, places),
        round(0.231 * unit, places),
    ]
    moved = [round(box[0] + step, places), *box[1:]]
    far = [round(box[0] + 0.4 * unit, places), box[1], round(box[2] + 0.4 * unit, places), box[3]]
    assert reason([{"box": box, "kind": 1, "score": 0.91}], [{"box": moved, "kind": 1, "score": 0.91}]) == ""
    assert reason([{"box": box, "kind": 1, "score": 0.91}], [{"box": far, "kind": 1, "score": 0.91}])
    assert reason({"boxes": [[0.0, 0.0, 1.0, 1.0]]}, {"boxes": [[0.0, 0.0, 0.6, 1.0]]})


def test_what_a_box_carries_is_compared_with_its_partner() -> None:
    """A text beside a box must be equal, whatever the order of the boxes; its mask overlaps its partner's."""
    one = {"box": [0.0, 0.0, 50.0, 50.0], "text": "ABC", "points": [[1.0, 2.0], [3.0, 4.0]]}
    two = {"box": [100.0, 0.0, 150.0, 50.0], "text": "XYZ", "points": [[1.0, 2.0], [3.0, 9.0]]}
    assert reason([one, two], [two, one]) == ""
    assert "finds 1 of 2" in reason([one, two], [one, two | {"text": "XYX"}])
    assert reason([one, two], [one, two | {"points": [[1.0, 2.0], [3.0, 4.0]]}])


def test_masks_match_by_overlap() -> None:
    """A mask of which a border has moved matches at int8; one that misses a third does not."""
    mask = np.zeros((64, 64), np.bool_)
    mask[10:50, 10:50] = True
    moved, lost = mask.copy(), mask.copy()
    moved[49, 10:50] = False
    lost[36:50] = False
    assert reason(mask, moved, INT8) == ""
    assert reason(mask, moved, FP32)
    assert reason(mask, lost, INT8) == "the mask overlaps eager's by 65.0%"
    assert reason(mask.astype(np.uint8), lost.astype(np.uint8), INT8)
    assert reason(np.zeros_like(mask), np.zeros_like(mask), FP32) == ""


def test_images_match_by_their_noise() -> None:
    """Noise of two levels of 255 matches at int8; a dark corner does not, although it is small."""
    noise = np.random.default_rng(3)
    pixels = noise.integers(0, 250, (128, 128, 3), dtype=np.uint8)
    noisy = (pixels + noise.integers(0, 3, pixels.shape)).astype(np.uint8)
    dark = pixels.copy()
    dark[:16, :16] = 0
    assert reason(pixels, noisy, INT8) == ""
    assert "differs" in reason(pixels, noisy, FP32)
    assert "part of the image" in reason(pixels, dark, INT8) or "differs" in reason(pixels, dark, INT8)
    from PIL import Image as Pillow

    encoded = [Image.from_pil(Pillow.fromarray(one)).encode("PNG") for one in (pixels, noisy, dark)]
    assert reason(encoded[0], encoded[1], INT8) == ""
    assert reason(Image(encoded[0]), Image(encoded[2]), INT8)
    assert "128×64" in reason(pixels, pixels[:64], INT8)


def test_arrays_match_by_their_centred_error() -> None:
    """An embedding that ignores its input is off by all that eager's moves, whatever its offset."""
    noise = np.random.default_rng(4)
    answers = [100 + noise.normal(0, 1, 64) for _ in range(8)]
    others = tuple(answers[1:])
    mean = np.mean(answers, axis=0)
    assert reason(answers[0], answers[0] + noise.normal(0, 0.05, 64), INT8, others) == ""
    assert "of its spread" in reason(answers[0], mean, INT8, others)
    assert reason(answers[0], answers[0][:32], INT8, others)
    assert reason([*answers[0]], [*mean], INT8, tuple([*one] for one in others))


def test_class_scores_as_a_dict_are_scores() -> None:
    """A dict of probabilities is compared as scores: a rare class is not held to how little it moves."""
    expected = {"cat": 0.7, "dog": 0.29, "cow": 0.01}
    assert reason(expected, {"cat": 0.68, "dog": 0.30, "cow": 0.02}, INT8) == ""
    assert reason(expected, {"cat": 0.3, "dog": 0.69, "cow": 0.01}, INT8)


def test_the_part_is_named() -> None:
    """A reason says which part of the answer it is about."""
    expected = {"rooms": [{"name": "hall", "kelvin": 295.0}, {"name": "attic", "kelvin": 280.0}], "ok": True}
    actual = {"rooms": [{"name": "hall", "kelvin": 295.0}, {"name": "attic", "kelvin": 300.0}], "ok": True}
    assert reason(expected, actual) == "rooms[]: score of 'attic' 300 instead of 280"
