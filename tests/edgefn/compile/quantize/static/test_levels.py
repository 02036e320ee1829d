"""Steps of the last quantiser, read from the file: a slice that gets few of them has lost its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from edgefn import backends
from edgefn.accuracy import judging
from edgefn.accuracy.judge import judge
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Judging, Network
from edgefn.accuracy.verdict import Agreement
from edgefn.backends import output_names
from edgefn.compile.judging.verify import AccuracyGate, verify
from edgefn.compile.quantize.static import levels
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec
from tests.edgefn.compile.quantize.networks import network

ZERO: NDArray[Any] = np.array(0, np.int8)


@pytest.mark.parametrize(
    ("moves", "step"),
    [
        ("y = DequantizeLinear(q, s, z)", 0.25),
        ("d = DequantizeLinear(q, s, z) e = Transpose<perm=[1, 0]>(d) y = Reshape(e, shape)", 0.25),
        ("d = DequantizeLinear(q, s, z) e = Identity(d) f = Unsqueeze(e, axes) y = Squeeze(f, axes)", 0.25),
        ("d = DequantizeLinear<axis=1>(q, many, zeros) y = Flatten(d)", 0.5),
        ("d = DequantizeLinear(q, s, z) y = Mul(d, s)", None),
        ("d = DequantizeLinear(q, s, z) y = Concat<axis=0>(d, x)", None),
        ("y = Identity(x)", None),
    ],
)
def test_the_step_is_that_of_the_last_quantiser(moves: str, step: float | None) -> None:
    """Through whatever changes no value, the coarsest channel's; none where the answer is computed in float."""
    constants: dict[str, NDArray[Any]] = {
        "s": np.array(0.25, np.float32),
        "z": ZERO,
        "many": np.array([0.125, 0.5, 0.25], np.float32),
        "zeros": np.zeros(3, np.int8),
        "shape": np.array([3, -1]),
        "axes": np.array([0]),
    }
    model = network(f"g (float[N, 3] x) => (float[M, K] y) {{ q = QuantizeLinear(x, s, z) {moves} }}", constants)
    assert levels.of(model) == ({} if step is None else {"y": step})


def test_steps_are_known_by_the_outputs_own_name() -> None:
    """An output that is called as an input is has another name in the file."""
    text = "g (float[N, 3] state) => (float[N, 3] y) { q = QuantizeLinear(state, s, z) y = DequantizeLinear(q, s, z) }"
    model = network(text, {"s": np.array(0.25, np.float32), "z": ZERO})
    model.graph.output[0].name = model.graph.node[-1].output[0] = output_names.inside("state", ["state"])
    assert levels.of(model) == {"state": 0.25}


SPAN = 6
"""Values lie on the steps of a quantiser of 1, so that it rounds nothing away."""


def on_steps(count: int) -> list[GoldenSample]:
    random = np.random.default_rng(0)
    wide = random.integers(-100, 100, (count, 1, 3))
    narrow = random.integers(0, SPAN + 1, (count, 1, 3))
    return [GoldenSample({"x": x}, {"y": x}) for x in np.concatenate([wide, narrow], -1).astype(np.float32)]


def judged_by(samples: list[GoldenSample]) -> Judging:
    outputs = {"y": TensorSpec("float32", ("batch", 6))}
    return judging.found("net", outputs, samples, Accuracy(), network=Network(joins={"y": (1, (0, 3, 6))}))


@pytest.mark.parametrize(("step", "word"), [(1.0, "wrong"), (0.5, "right")])
def test_a_slice_of_few_steps_is_wrong_however_near_it_is(tmp_path: Path, step: float, word: str) -> None:
    """Equal on all samples: what lies between the steps was in none of them, and the file says that it is lost."""
    samples = on_steps(16)
    constants: dict[str, NDArray[Any]] = {"s": np.array(step, np.float32), "z": ZERO}
    text = "g (float[N, 6] x) => (float[N, 6] y) { q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }"
    fitting = [one for one in samples if np.abs(one.inputs["x"]).max() <= 127 * step]
    onnx.save(network(text, constants), tmp_path / "model.onnx")
    gate = AccuracyGate(judged_by(fitting), "int8")
    found = verify(backends.get("onnxruntime"), tmp_path, Pairs(tuple(fitting)), gate, "net")
    assert (found.verdict, found.error) == (word, 0.0)
    steps = {row.slice: row.levels for row in found.slices}
    assert steps["y[:, 3:6]"] == SPAN / step
    if word == "wrong":
        assert found.reason.startswith("y[:, 3:6] gets 6.0 of the 255 steps that it shares with larger values")
    in_float = verify(
        backends.get("onnxruntime"), tmp_path, Pairs(tuple(fitting)), AccuracyGate(judged_by(fitting)), "net"
    )
    assert in_float.passed
    assert all(row.levels is None for row in in_float.slices)


def rounded(values: int, eager_values: int) -> Agreement:
    """Judge an artifact of so many `values` of what eager has `eager_values` of, whose author allows a half."""
    random = np.random.default_rng(0)
    answers = random.integers(0, eager_values, (16, 1, 40)).astype(np.float32) / eager_values
    samples = [GoldenSample({"x": np.array([number])}, {"y": one}) for number, one in enumerate(answers)]
    outputs = {"y": TensorSpec("float32", ("batch", 40))}
    judged = judging.found("net", outputs, samples, Accuracy(error=0.5))

    class Session:
        def run(self, inputs: Any) -> dict[str, Any]:
            answer = answers[int(inputs["x"][0])]
            return {"y": ((np.floor(answer * values) + 0.5) / values).astype(np.float32)}

    return judge(Session(), Pairs(tuple(samples)), judged, "int8")


@pytest.mark.parametrize(("values", "eager_values", "word"), [(5, 500, "wrong"), (9, 500, "right"), (5, 60, "right")])
def test_an_answer_of_few_values_is_wrong_where_eager_has_many(values: int, eager_values: int, word: str) -> None:
    """Whatever error its author allows; where eager itself has few values, few are right."""
    found = rounded(values, eager_values)
    assert found.verdict == word, found.reason
    if word == "wrong":
        assert found.reason == f"y has only {values} different values, but eager has many"
