"""Calls of a model put together and taken apart, and which models and functions may ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn import SpecError, edge_model, tensor
from edgefn.accuracy.bound import Bound
from edgefn.accuracy.judge import judge_served
from edgefn.accuracy.rules import Judging
from edgefn.batching import apart, check_function, check_outputs, check_range, kind_of, rows_of, together
from edgefn.bundle.config import ArtifactEntry, BundleConfig, ModelEntry
from edgefn.bundle.documents import encode, parse_config
from edgefn.errors import BundleError
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import Batching, FunctionSpec, ModelSpec, SizeRange

ROWS = {"a": tensor("float32", "n", 4), "b": tensor("int64", "n")}


def _batching(inputs: Any = ROWS, **options: Any) -> Batching | None:
    @edge_model(inputs=inputs, **options)
    def network() -> Any: ...

    return network.batching


def test_batch_and_its_wait_are_kept() -> None:
    """2 ms is the default; without batch there is none of it."""
    assert _batching(batch=8) == Batching(8, 0.002)
    assert _batching(batch=2, batch_wait="500ms", outputs={"y": tensor("float32", "n")}) == Batching(2, 0.5)
    assert _batching(batch=2, batch_wait=0) == Batching(2, 0.0)
    assert _batching() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 1}, "batch is 1: use a whole number from 2"),
        ({"batch": True}, "batch is True"),
        ({"batch": "8"}, "batch is '8'"),
        ({"batch": 8.0}, "batch is 8.0"),
        ({"batch": 2**20}, "batch is 1048576: use a whole number from 2 to 1024"),
        ({"batch_wait": "2ms"}, "batch_wait is given and batch is not: add batch=8"),
        ({"batch": 8, "batch_wait": "2"}, "batch_wait is '2': write a number and one of ms"),
        ({"batch": 8, "batch_wait": -1}, "batch_wait is -1"),
        ({"batch": 8, "batch_wait": "2s"}, "batch_wait is '2s': use 0 to \"1s\""),
        ({"batch": 8, "inputs": {"a": tensor("float32", 1, 4)}}, r"input 'a' is float32\[1, 4\]: declare it by a word"),
        ({"batch": 8, "inputs": {"a": tensor("float32")}}, r"input 'a' is float32\[\]: declare it by a word"),
        ({"batch": 8, "inputs": ROWS | {"c": tensor("int8", "m")}}, "which is called m and n: give it one name"),
        ({"batch": 8, "outputs": {"y": tensor("float32", 4)}}, r"output 'y' is float32\[4\]: declare it"),
        ({"batch": 8, "outputs": {"y": tensor("float32", "k")}}, "which is called k and n: give it one name"),
    ],
)
def test_what_cannot_be_batched_is_refused(options: dict[str, Any], message: str) -> None:
    """At import, naming the model and what is accepted."""
    with pytest.raises(SpecError, match=f"@edge_model network: .*{message}"):
        _batching(**options)


def test_a_function_whose_calls_never_come_together_is_refused() -> None:
    """One call at a time, or an event loop that a model call blocks; the error says what to change."""
    one, many = FunctionSpec("f", "f:f"), FunctionSpec("f", "f:f", concurrency=8)
    with pytest.raises(SpecError, match=r"model net has batch.*write @edge_function\(concurrency=8\) on f"):
        check_function(one, False, ["net"])
    with pytest.raises(SpecError, match=r"f is `async`.*Make f a plain `def`"):
        check_function(many, True, ["net"])
    check_function(many, False, ["net"])
    check_function(one, True, [])


def test_a_network_whose_outputs_have_no_rows_is_refused() -> None:
    """The outputs that the build has read from the network are held to the same."""
    with pytest.raises(SpecError, match=r"@edge_model net: .*output 'y' is float32\[3\]"):
        check_outputs("net", ROWS, {"y": tensor("float32", 3)})
    check_outputs("net", ROWS, {"y": tensor("float32", "n", 3)})


def _config(batching: Batching | None, concurrency: int = 8, outputs: Any = None) -> bytes:
    model = ModelSpec("net", ROWS, outputs or {"y": tensor("float32", "n")})
    return encode(
        BundleConfig(
            FunctionSpec("f", "f:f", concurrency=concurrency),
            (ModelEntry(model, Bound(), 1, batching),),
            (ArtifactEntry("net", "portable/fp32", "onnxruntime"),),
        )
    )


def test_batching_goes_through_the_bundle() -> None:
    """And a bundle from before there was batching has none."""
    assert parse_config(_config(Batching(4, 0.01))).models[0].batching == Batching(4, 0.01)
    assert parse_config(_config(None).replace(b'"batching":null,', b"")).models[0].batching is None


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (_config(Batching(1, 0.0)), "batched by 1 rows"),
        (_config(Batching(4, 60.0)), "batched by 4 rows and 60.0 s"),
        (_config(Batching(4), concurrency=1), "serves one request at a time"),
        (_config(Batching(4), outputs={"y": tensor("float32", 3)}), "output 'y'"),
    ],
)
def test_a_box_refuses_batching_that_cannot_be(config: bytes, message: str) -> None:
    """A bundle need not come from this build."""
    with pytest.raises(BundleError, match=message):
        parse_config(config)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6))
def test_apart_undoes_together(rows: list[int]) -> None:
    """Each call gets its own rows back, however many it came with."""
    rng = np.random.default_rng(0)
    calls = [{"a": rng.random((count, 4)), "b": rng.integers(0, 9, count)} for count in rows]
    joined = together(calls)
    assert rows_of(joined) == sum(rows)
    for call, part in zip(calls, apart(joined, rows), strict=True):
        assert list(part) == list(call)
        for name, array in call.items():
            np.testing.assert_array_equal(part[name], array)
            assert part[name].flags.c_contiguous


def test_other_rows_than_went_in_are_no_answer() -> None:
    """An output that does not have a row for each is refused, not cut."""
    for wrong in (np.zeros((3, 2)), np.zeros(())):
        with pytest.raises(ValueError, match="output 'y' has shape"):
            apart({"y": wrong}, [1, 1])


def test_calls_of_one_kind_differ_in_rows_only() -> None:
    """Another dtype, another trailing shape: another kind."""
    a = {"x": np.zeros((1, 4), np.float32)}
    assert kind_of(a) == kind_of({"x": np.ones((7, 4), np.float32)})
    assert kind_of(a) != kind_of({"x": np.zeros((1, 5), np.float32)})
    assert kind_of(a) != kind_of({"x": np.zeros((1, 4), np.float64)})


class _Network:
    """Twice its input; or, when it `mixes`, its input and the mean over all rows."""

    def __init__(self, mixes: bool) -> None:
        self.mixes = mixes

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        x = inputs["x"]
        return {"y": x + x.mean(axis=0, keepdims=True) if self.mixes else 2 * x}


@pytest.mark.parametrize("samples", [1, 3])
def test_a_network_that_mixes_its_rows_does_not_pass(samples: int) -> None:
    """The golden samples run beside others show it, one sample alone too; unbatched it passes."""
    xs = [np.arange(4, dtype=np.float32)[None] * (1.0 + number) for number in range(samples)]
    for mixes in (False, True):
        network = _Network(mixes)
        pairs = Pairs(tuple(GoldenSample({"x": x}, network.run({"x": x})) for x in xs))
        assert judge_served(network, pairs, Judging(), "fp32", batched=False).passed
        found = judge_served(network, pairs, Judging(), "fp32", batched=True)
        assert found.passed != mixes
        assert found.passed or "run together with another call its answer changes" in found.reason


class _Meeting:
    """A network whose rows meet only where one of them is large."""

    def run(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        x = np.asarray(inputs["x"], np.float32)
        return {"y": x / np.float32(max(10.0, float(np.abs(x).max())))}


def test_rows_that_meet_where_one_is_large_do_not_pass() -> None:
    """As with int8 whose ranges are of each run: a caller's large numbers would be the others' wrong answers."""
    network = _Meeting()
    xs = [np.arange(4, dtype=np.float32)[None] * (1.0 + number) for number in range(2)]
    pairs = Pairs(tuple(GoldenSample({"x": x}, network.run({"x": x})) for x in xs))
    assert judge_served(network, pairs, Judging(), "fp32", batched=False).passed
    assert not judge_served(network, pairs, Judging(), "fp32", batched=True).passed


def test_no_more_rows_come_together_than_the_network_takes() -> None:
    """A table of so many rows, say: the build says which batch= is possible."""
    spec = ModelSpec("net", {"x": tensor("float32", "batch", 4)}, {}, {"batch": SizeRange(1, 4)})
    check_range(spec, Batching(4))
    with pytest.raises(SpecError, match=r"@edge_model net: batch puts up to 8 rows together, and batch is 1 to 4: "):
        check_range(spec, Batching(8))
