"""An answer is kept exactly and comes back as the handler's type."""

from __future__ import annotations

import dataclasses
import math
from typing import Annotated, Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Pillow

from edgefn import Image, tensor
from edgefn.accuracy.answers import record
from edgefn.accuracy.answers.judging import comparison, differing, mismatch, spreads_of
from edgefn.accuracy.answers.limits import FP32, INT8


class Label(msgspec.Struct):
    label: str
    score: float


@dataclasses.dataclass
class Map:
    name: str
    values: np.ndarray[Any, Any]


@pytest.mark.parametrize(
    ("result", "hint"),
    [
        ([Label("cat", 0.5)], list[Label]),
        ({"a": 1.5, "b": math.inf}, dict[str, float]),
        ({1, 2, 3}, set[int]),
        ("text", str),
        (None, None),
        (b"\x00\x01", bytes),
        ((1, "a"), tuple[int, str]),
    ],
)
def test_an_answer_comes_back_as_its_type(result: Any, hint: Any) -> None:
    """The author's comparison gets what the handler returned, of the same types."""
    back = record.decode_typed(record.encode(result), hint)
    assert back == result
    assert type(back) is type(result)


@pytest.mark.parametrize(
    "hint", [np.ndarray, NDArray[np.float32], Annotated[np.ndarray, tensor("float32", "n", 2)], Any]
)
def test_an_array_comes_back_exactly(hint: Any) -> None:
    """NaN and dtype survive, however the result is annotated."""
    array = np.array([[1.0, np.nan], [np.inf, 2.0]], np.float32)
    back = record.decode_typed(record.encode(array), hint)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array, equal_nan=True)


def test_arrays_and_images_inside_a_result() -> None:
    """Arrays in a dataclass come back; an image does as edgefn's or Pillow's."""
    back = record.decode_typed(record.encode(Map("a", np.arange(3))), Map)
    assert isinstance(back, Map)
    assert back.values.tolist() == [0, 1, 2]
    pixels = Pillow.new("RGB", (9, 8), (1, 2, 3))
    assert record.decode_typed(record.encode(Image.from_pil(pixels)), Image).size == (9, 8)
    assert record.decode_typed(record.encode(pixels), Pillow.Image).size == (9, 8)


def test_an_answer_is_shown_in_short() -> None:
    """Numbers have four digits, arrays and images their size, and a long answer is cut."""
    assert record.shown(record.encode([Label("cat", 0.123456)])) == "[{label: 'cat', score: 0.1235}]"
    assert record.shown(record.encode({"mask": np.zeros((4, 5), bool)})) == "{mask: bool[4, 5]}"
    assert len(record.shown(record.encode("x" * 1000))) <= 160


def test_a_mismatch_shows_both_answers() -> None:
    """What eager said and what the artifact said stand beside the reason."""
    answers = [record.encode({"kelvin": kelvin}) for kelvin in (290.1, 295.2, 300.3)]
    compare = comparison(INT8, spreads_of(answers), None, Any)
    assert mismatch("a.json", answers[0], answers[0], compare) is None
    found = mismatch("a.json", answers[0], answers[2], compare)
    assert found == record.Mismatch("a.json", "{kelvin: 290.1}", "{kelvin: 300.3}", "kelvin: 300.3 instead of 290.1")


def test_an_authors_comparison_replaces_the_default() -> None:
    """With `@my_function.match` the author's word alone counts, and it sees typed answers."""

    def same(expected: list[Label], actual: list[Label]) -> str:
        return "" if expected[0].label == actual[0].label else "another label"

    compare = comparison(FP32, {}, same, list[Label])
    one, other, third = (record.encode([Label(name, score)]) for name, score in (("a", 0.9), ("a", 0.1), ("b", 0.9)))
    assert compare(one, other) == ""
    assert compare(one, third) == "another label"


def test_a_handler_that_does_not_repeat_itself_is_seen() -> None:
    """Two runs of eager that differ beyond the bound are counted, by sample."""
    first = [record.encode(number) for number in (1.5, 2.5, 3.5)]
    second = [record.encode(number) for number in (1.5, 2.6, 3.5)]
    assert differing(first, first, None, float) == []
    assert differing(first, second, None, float) == [1]


def test_too_many_mismatches_are_wrong() -> None:
    """Three mismatches are shown of more, and two of sixteen int8 answers are wrong."""
    one = record.Mismatch("a", "1", "2", "differs")
    assert record.agreed([one] * 2, 16, strict=False).verdict == "wrong"
    assert record.agreed([one], 16, strict=False).passed
    assert not record.agreed([one], 16, strict=True).passed
    assert len(record.agreed([one] * 9, 16, strict=True).examples) == 3
