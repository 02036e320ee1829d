"""Dim(...) and ranges of free sizes: what they accept, how they combine, and where they are checked."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from edgefn import Dim, InputError, SpecError, edge_function, edge_model, tensor
from edgefn.codec.request.signature import Request
from edgefn.dimensions.sizes import combined, intersection, misfit
from edgefn.spec import ModelSpec, SizeRange, TensorSpec

LENGTHS = st.integers(0, 200)


@st.composite
def ranges(draw: st.DrawFn) -> SizeRange:
    least, step = draw(st.integers(0, 40)), draw(st.integers(1, 12))
    most = draw(st.none() | st.integers(least + step, 150))
    return SizeRange(least, most, step)


@given(ranges(), LENGTHS)
def test_a_range_holds_what_it_says(range: SizeRange, length: int) -> None:
    """Between both limits, and a multiple; `tightened` holds the same lengths, and its limits are among them."""
    within = range.min <= length and (range.max is None or length <= range.max)
    assert (length in range) == (within and length % range.multiple_of == 0)
    tight = range.tightened()
    assert (length in tight) == (length in range)
    assert tight.min in range
    assert tight.max is None or tight.max in range


@given(ranges(), ranges(), LENGTHS)
def test_an_intersection_is_what_both_hold(one: SizeRange, other: SizeRange, length: int) -> None:
    """Nothing less, nothing more; where nothing is left it is a ValueError."""
    try:
        both = intersection(one, other)
    except ValueError:
        assert not (length in one and length in other)
    else:
        assert (length in both) == (length in one and length in other)


@pytest.mark.parametrize(
    ("range", "text"),
    [
        (SizeRange(), "1 or more"),
        (SizeRange(2, 512), "2 to 512"),
        (SizeRange(7, 7), "7"),
        (SizeRange(1, None, 32), "a multiple of 32"),
        (SizeRange(64, None, 32), "a multiple of 32, 64 or more"),
        (SizeRange(32, 640, 32), "a multiple of 32, 32 to 640"),
    ],
)
def test_a_range_reads_as_a_sentence(range: SizeRange, text: str) -> None:
    """It stands after "it must be"."""
    assert str(range) == text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "two words"}, "Dim has the name 'two words'"),
        ({"name": 3}, "Dim has the name 3"),
        ({"name": "n", "min": -1}, r"Dim\('n'\): min is -1"),
        ({"name": "n", "max": 2.0}, r"Dim\('n'\): max is 2.0"),
        ({"name": "n", "max": True}, r"Dim\('n'\): max is True"),
        ({"name": "n", "multiple_of": None}, "multiple_of is None"),
        ({"name": "n", "multiple_of": 0}, "multiple_of is 0"),
        ({"name": "n", "min": 5, "max": 4}, "no length can be 5 to 4"),
        ({"name": "n", "max": 31, "multiple_of": 32}, "no length can be a multiple of 32, 1 to 31"),
    ],
)
def test_limits_that_leave_no_length_are_refused(arguments: dict[str, Any], message: str) -> None:
    """At import, with what was written."""
    with pytest.raises(SpecError, match=message):
        Dim(**arguments)


def test_a_tensor_keeps_words_and_ranges() -> None:
    """`shape` has the word; `ranges` has what was said of it; a Dim without limits is its word."""
    spec = tensor("float32", "batch", Dim("length", max=512), 64)
    assert spec.shape == ("batch", "length", 64)
    assert spec.ranges == {"length": SizeRange(1, 512)}
    assert str(spec) == "float32[batch, length, 64] (length 1 to 512)"
    assert tensor("float32", Dim("n")) == tensor("float32", "n")
    assert tensor("float32", Dim("n", min=4), Dim("n", max=9)).ranges == {"n": SizeRange(4, 9)}
    with pytest.raises(SpecError, match="which exclude each other"):
        tensor("float32", Dim("n", min=4), Dim("n", max=3))
    assert hash(spec) == hash(tensor("float32", "batch", Dim("length", max=512), 64))


def test_ranges_of_a_model_are_those_of_its_inputs() -> None:
    """Intersected over the inputs; those that contradict each other are refused at import."""

    @edge_model(
        inputs={
            "a": tensor("float32", Dim("n", min=2), Dim("w", multiple_of=8)),
            "b": tensor("float32", Dim("n", max=9), Dim("w", max=100)),
        }
    )
    def network() -> None: ...

    assert network.spec.ranges == {"n": SizeRange(2, 9), "w": SizeRange(8, 96, 8)}
    with pytest.raises(SpecError, match=r"@edge_model m: inputs: b declares n as 1 to 3, another as 4 or more"):
        combined(
            {"a": tensor("float32", Dim("n", min=4)), "b": tensor("float32", Dim("n", max=3))}, "@edge_model m: inputs"
        )
    with pytest.raises(SpecError, match="declare the lengths in inputs="):

        @edge_model(inputs={"a": tensor("float32", "n")}, outputs={"y": tensor("float32", Dim("n", max=3))})
        def other() -> None: ...


def test_what_a_parameter_declares_is_checked_as_the_request_is_read() -> None:
    """An InputError, which is a 400, with the range; the JSON Schema has it too."""

    @edge_function
    def f(x: Annotated[NDArray[np.float32], tensor("float32", Dim("length", min=2, max=4))]) -> int:
        return len(x)

    decode = f.signature.decode
    assert decode(Request("application/json", b"[1, 2, 3]"))["x"].tolist() == [1, 2, 3]
    for body, length in ((b"[1]", 1), (b"[1, 2, 3, 4, 5]", 5)):
        with pytest.raises(InputError, match=rf"x: has float32\[{length}\]: length is {length}, it must be 2 to 4"):
            decode(Request("application/json", body))
    schema = f.signature.parameters[0].schema
    assert (schema["minItems"], schema["maxItems"]) == (2, 4)
    assert schema["description"] == "float32[length] (length 2 to 4)"


def test_parameters_that_no_request_can_fulfil_are_refused() -> None:
    """At import: one word, and two ranges without a length in common."""
    with pytest.raises(SpecError, match=r"function f: y declares n as 9 or more, another as 1 to 3"):

        @edge_function
        def f(
            x: Annotated[NDArray[np.float32], tensor("float32", Dim("n", max=3))],
            y: Annotated[NDArray[np.float32], tensor("float32", Dim("n", min=9))],
        ) -> int:
            return len(x) + len(y)


def test_a_spec_without_ranges_is_written_as_before() -> None:
    """So older boxes read it, and bundles of the same sources keep their digest."""
    spec = ModelSpec("m", {"x": tensor("float32", "n", 4)}, {"y": TensorSpec("float32", ("n",))})
    assert msgspec.json.encode(spec) == (
        b'{"name":"m","inputs":{"x":{"dtype":"float32","shape":["n",4]}},'
        b'"outputs":{"y":{"dtype":"float32","shape":["n"]}}}'
    )
    ranged = msgspec.structs.replace(spec, ranges={"n": SizeRange(2, 8, 2)})
    assert msgspec.json.decode(msgspec.json.encode(ranged), type=ModelSpec) == ranged


def test_a_range_of_a_bundle_is_checked_as_it_is_read() -> None:
    """A file from elsewhere cannot hold a range without a length."""
    with pytest.raises(msgspec.ValidationError, match="no length can be 5 to 4"):
        msgspec.json.decode(b'{"min": 5, "max": 4}', type=SizeRange)


def test_a_misfit_names_the_word_the_length_and_the_range() -> None:
    """And is empty where all fit, or where a word has no length yet."""
    allowed = {"n": SizeRange(2, 4), "w": SizeRange(8, None, 8)}
    assert misfit(allowed, {"n": 2, "w": 16, "other": 7}) == ""
    assert misfit(allowed, {"n": 3}) == ""
    assert misfit(allowed, {"n": 3, "w": 12}) == "w is 12, it must be a multiple of 8"
