"""Networks of every kind are made int8: any operator, any number of dimensions, answers of unlike ranges."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import pytest

from edgefn.accuracy.options import Accuracy
from edgefn.compile.quantize import int8
from edgefn.compile.quantize.engine import ONNX_RUNTIME, opened
from edgefn.compile.quantize.search.trial import LayerTrial
from edgefn.compile.quantize.static import calibration, compensation
from edgefn.errors import GateError
from edgefn.golden import GoldenSample
from edgefn.targets.profiles import target
from tests.edgefn.compile.quantize.test_int8 import has_vnni

from .networks import Arrays, Caught, error, network, weights

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

TARGET = target("x86-64-v4/int8")
LIMIT = 0.15 if has_vnni() else 1.0
"""Of the error; without these instructions products of the full weights that this target has saturate."""
RANDOM = np.random.default_rng(0)


class Kind(NamedTuple):
    """A network's text, its weights, and the shape of its input x."""

    text: str
    constants: Arrays
    shape: tuple[int, ...]
    opsets: str = '"" : 20'


def smooth(*shape: int, seed: int = 0) -> Any:
    """An input whose neighbours are alike, as sounds and pictures have them."""
    return np.cumsum(np.random.default_rng(seed).normal(0, 0.3, shape), axis=-1).astype(np.float32)


KINDS = {
    "one dimension": Kind(
        "net (float[N,2,200] x) => (float[N,6] y) {\n"
        "a = Conv <kernel_shape: ints = [9], strides: ints = [2]> (x, w1, b1)\n b = Relu (a)\n"
        "c = Conv <kernel_shape: ints = [3], pads: ints = [2, 2], dilations: ints = [2], group: int = 2> (b, w2, b2)\n"
        "d = Relu (c)\n e = GlobalAveragePool (d)\n f = Flatten (e)\n y = Gemm (f, w3, b3)\n}",
        weights(w1=(16, 2, 9), b1=(16,), w2=(24, 8, 3), b2=(24,), w3=(24, 6), b3=(6,)),
        (2, 200),
    ),
    "three dimensions": Kind(
        "net (float[N,3,4,10,10] x) => (float[N,5] y) {\n"
        "a = Conv <kernel_shape: ints = [3,3,3], pads: ints = [1,1,1,1,1,1]> (x, w1, b1)\n b = Relu (a)\n"
        "c = Conv <kernel_shape: ints = [2,3,3], strides: ints = [2,2,2]> (b, w2, b2)\n"
        "d = Relu (c)\n e = GlobalAveragePool (d)\n f = Flatten (e)\n y = Gemm (f, w3, b3)\n}",
        weights(w1=(8, 3, 3, 3, 3), b1=(8,), w2=(16, 8, 2, 3, 3), b2=(16,), w3=(16, 5), b3=(5,)),
        (3, 4, 10, 10),
    ),
    "a branch, a transposed convolution and an operator of nobody's list": Kind(
        "net (float[1,6,12,12] x) => (float[1,4,24,24] y) {\n"
        "a = Conv <kernel_shape: ints = [3,3], pads: ints = [1,1,1,1]> (x, w1, b1)\n b = Celu (a)\n"
        "m = ReduceMax <keepdims: int = 0> (b)\n g = Greater (m, zero)\n"
        "c = If (g) <then_branch = yes () => (float[1,16,12,12] p) { p = Mul (b, half) },"
        " else_branch = no () => (float[1,16,12,12] q) { q = Neg (b) }>\n"
        "d = Conv <kernel_shape: ints = [3,3], pads: ints = [1,1,1,1]> (c, w2, b2)\n e = Relu (d)\n"
        "f = ConvTranspose <kernel_shape: ints = [2,2], strides: ints = [2,2]> (e, w3)\n"
        "y = Conv <kernel_shape: ints = [1,1]> (f, w4, b4)\n}",
        weights(w1=(16, 6, 3, 3), b1=(16,), w2=(16, 16, 3, 3), b2=(16,), w3=(16, 4, 2, 2), w4=(4, 4, 1, 1), b4=(4,))
        | {"zero": np.array(0, np.float32), "half": np.array(0.5, np.float32)},
        (6, 12, 12),
    ),
    "a GRU behind convolutions, an operator of ONNX Runtime": Kind(
        "net (float[1,4,120] x) => (float[30,6] y) {\n"
        "a = Conv <kernel_shape: ints = [5], pads: ints = [2,2], strides: ints = [2]> (x, w1, b1)\n"
        "b = com.microsoft.QuickGelu <alpha: float = 1.0> (a)\n"
        "c = Conv <kernel_shape: ints = [5], pads: ints = [2,2], strides: ints = [2]> (b, w2, b2)\n d = Relu (c)\n"
        "e = Transpose <perm: ints = [2,0,1]> (d)\n"
        "f, g = GRU <hidden_size: int = 6> (e, gw, gr)\n h = Squeeze (f, axes)\n y = MatMul (h, w3)\n}",
        weights(w1=(24, 4, 5), b1=(24,), w2=(32, 24, 5), b2=(32,), w3=(6, 6), gw=(1, 18, 32), gr=(1, 18, 6))
        | {"axes": np.array([1, 2], np.int64)},
        (4, 120),
        '"" : 20, "com.microsoft" : 1',
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_no_network_fails_for_its_operators(name: str, tmp_path: Path) -> None:
    """It is made int8, more than half of its multiplications, and held-out answers stay near, for random weights."""
    kind = KINDS[name]
    model = network(kind.text, kind.constants, kind.opsets)
    caught = Caught(model, [{"x": smooth(1, *kind.shape, seed=seed)} for seed in range(40)], tmp_path)
    held, caught.calibration = caught.calibration[28:], caught.calibration[:28]
    made = int8.made(caught, TARGET, model, ONNX_RUNTIME)
    assert made.recipe == "static", "ours, not what is tried when ours fails"
    assert made.share.operations > 0.5
    assert max(error(made.model, made.session, held).values()) < LIMIT


def test_where_ours_fails_plain_quantisation_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault in our own arithmetic costs the attempt and not the artifact; the log has the trace."""
    kind = KINDS["one dimension"]
    model = network(kind.text, kind.constants)
    caught = Caught(model, [{"x": smooth(1, *kind.shape, seed=seed)} for seed in range(40)], tmp_path)
    held, caught.calibration = caught.calibration[28:], caught.calibration[:28]
    monkeypatch.delattr(compensation, "compensated")
    made = int8.made(caught, TARGET, model, ONNX_RUNTIME)
    assert made.recipe == "plain static"
    assert error(made.model, made.session, held)["y"] < 0.3


def test_what_the_gate_would_refuse_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A way that is near enough while it is sought, and not on the golden samples, makes room for the next."""
    kind = KINDS["one dimension"]
    model = network(kind.text, kind.constants)
    caught = Caught(model, [{"x": smooth(1, *kind.shape, seed=seed)} for seed in range(40)], tmp_path)
    caught.judges, caught.calibration = caught.calibration[28:], caught.calibration[:28]
    score, judged = LayerTrial.score, list[str]()

    def strict(trial: LayerTrial, kept: tuple[str, ...]) -> Any:
        found = score(trial, kept)
        of_gate = trial._samples is caught.judges
        judged.extend([trial._attempt.recipe] * of_gate)
        return found._replace(passed=found.passed and (not of_gate or trial._attempt.recipe == "plain static"))

    monkeypatch.setattr(LayerTrial, "score", strict)
    assert int8.made(caught, TARGET, model, ONNX_RUNTIME).recipe == "plain static"
    assert judged == ["static", "static of all inputs", "plain static"]


def test_samples_far_from_all_that_was_calibrated_on_refuse_it(tmp_path: Path) -> None:
    """The refusal names each way that was tried."""
    kind = KINDS["one dimension"]
    model = network(kind.text, kind.constants)
    caught = Caught(model, [{"x": smooth(1, *kind.shape, seed=seed)} for seed in range(40)], tmp_path, Accuracy())
    caught.judges, caught.calibration = caught.calibration[28:], caught.calibration[:28]
    caught.judges = [GoldenSample(one.inputs, {"y": np.negative(one.outputs["y"])}) for one in caught.judges]
    with pytest.raises(GateError, match=r"tried: static; static of all inputs; plain static"):
        int8.made(caught, TARGET, model, ONNX_RUNTIME)


@pytest.mark.parametrize("validation", range(15))
def test_few_samples_are_filled_up(validation: int) -> None:
    """Up to a dozen, by golden samples; none is added to more, or where there are none."""
    own = [GoldenSample({"x": np.array([number])}, {}) for number in range(validation)]
    others = [GoldenSample({"x": np.array([-number])}, {}) for number in range(20)]
    found = calibration.enough(own, others)
    assert len(found) == max(validation, 12)
    assert list(found[:validation]) == own
    assert list(calibration.enough(own, [])) == own


def detector(joined: bool) -> onnx.ModelProto:
    """Boxes in pixels and scores from 0 to 1, in one tensor or in two."""
    end = "y = Concat <axis: int = 1> (boxes, scores)\n}" if joined else "}"
    outputs = "float[N,6,8,8] y" if joined else "float[N,4,8,8] boxes, float[N,2,8,8] scores"
    text = (
        f"net (float[N,3,32,32] x) => ({outputs}) {{\n"
        "a = Conv <kernel_shape: ints = [3,3], pads: ints = [1,1,1,1], strides: ints = [2,2]> (x, w1, b1)\n"
        "b = Relu (a)\n"
        "c = Conv <kernel_shape: ints = [3,3], pads: ints = [1,1,1,1], strides: ints = [2,2]> (b, w2, b2)\n"
        "d = Relu (c)\n e = Conv <kernel_shape: ints = [1,1]> (d, w3, b3)\n p, q = Split <axis: int = 1> (e, parts)\n"
        f"boxes = Mul (p, pixels)\n scores = Sigmoid (q)\n {end}"
    )
    constants = weights(w1=(16, 3, 3, 3), b1=(16,), w2=(32, 16, 3, 3), b2=(32,), w3=(6, 32, 1, 1), b3=(6,))
    return network(text, constants | {"parts": np.array([4, 2]), "pixels": np.array(640, np.float32)})


@pytest.mark.parametrize("joined", [False, True])
def test_what_joins_boxes_and_scores_has_no_step_for_both(joined: bool, tmp_path: Path) -> None:
    """Each part of the answer is within a tenth of how far it moves, in one tensor as in two."""
    model = detector(joined)
    caught = Caught(model, [{"x": smooth(1, 3, 32, 32, seed=seed)} for seed in range(40)], tmp_path)
    held, caught.calibration = caught.calibration[28:], caught.calibration[:28]
    made = int8.made(caught, TARGET, model, ONNX_RUNTIME)
    if joined:
        last = made.model.graph.output[0].name
        assert next(node for node in made.model.graph.node if last in node.output).op_type == "Concat"
        session: Any = opened(made.model, made.session)
        scores = np.stack([session.run(one.inputs)["y"][:, 4:] for one in held])
        answers: Any = [one.outputs["y"] for one in held]
        wanted = np.stack(answers)[:, :, 4:]
        assert np.sqrt(np.square(scores - wanted).mean() / wanted.var(axis=0).mean()) < 0.1
    else:
        assert max(error(made.model, made.session, held).values()) < 0.1


def test_an_offset_costs_no_levels(tmp_path: Path) -> None:
    """295 give or take 3: the map's own movement is what counts, and all of it arrives."""
    text = (
        "net (float[N,2,24,24] x) => (float[N,1,24,24] y) {\n"
        "a = Conv <kernel_shape: ints = [3,3], pads: ints = [1,1,1,1]> (x, w1, b1)\n b = Relu (a)\n"
        "c = Conv <kernel_shape: ints = [3,3], pads: ints = [1,1,1,1]> (b, w2, b2)\n d = Relu (c)\n"
        "y = Conv <kernel_shape: ints = [3,3], pads: ints = [1,1,1,1]> (d, w3, b3)\n}"
    )
    constants = weights(w1=(16, 2, 3, 3), b1=(16,), w2=(16, 16, 3, 3), b2=(16,), w3=(1, 16, 3, 3))
    model = network(text, constants | {"b3": np.array([295], np.float32)})
    caught = Caught(model, [{"x": smooth(1, 2, 24, 24, seed=seed)} for seed in range(32)], tmp_path)
    held, caught.calibration = caught.calibration[24:], caught.calibration[:24]
    made = int8.made(caught, TARGET, model, ONNX_RUNTIME)
    assert error(made.model, made.session, held)["y"] < 0.1
    assert made.share.operations > 0.5


def test_a_file_with_little_in_eight_bits_is_not_called_int8(tmp_path: Path) -> None:
    """The large layer is kept by the author: the figures are told, and the share can be set."""
    text = (
        "net (float[N,8,10,10] x) => (float[N,4] y) {\n"
        "a = Conv <kernel_shape: ints = [5,5]> (x, w1, b1)\n b = Relu (a)\n"
        "c = Conv <kernel_shape: ints = [1,1]> (b, w2, b2)\n d = GlobalAveragePool (c)\n e = Flatten (d)\n"
        "y = Gemm (e, w3, b3)\n}"
    )
    constants = weights(w1=(16, 8, 5, 5), b1=(16,), w2=(16, 16, 1, 1), b2=(16,), w3=(16, 4), b3=(4,))
    model = network(text, constants)
    inputs = [{"x": smooth(1, 8, 10, 10, seed=seed)} for seed in range(16)]
    caught = Caught(model, inputs, tmp_path, keep=("conv_0",))
    with pytest.raises(GateError, match=r"of model net cannot be made int8: 7% of its multiplications and 9% of its w"):
        int8.made(caught, TARGET, model, ONNX_RUNTIME)
    caught = Caught(model, inputs, tmp_path, keep=("conv_0",), min_share=0.05)
    assert int8.made(caught, TARGET, model, ONNX_RUNTIME).share.operations == pytest.approx(0.07, abs=0.01)


def test_what_ours_misses_plain_may_reach_and_the_refusal_names_all_that_was_tried(tmp_path: Path) -> None:
    """A bound that none reaches: each way is named, with the figures of the nearest."""
    kind = KINDS["one dimension"]
    model = network(kind.text, kind.constants)
    inputs = [{"x": smooth(1, *kind.shape, seed=seed)} for seed in range(16)]
    caught = Caught(model, inputs, tmp_path, Accuracy(error=1e-7))
    with pytest.raises(GateError, match=r"is not accurate enough on 4 inputs.*tried: static; plain static; \w+"):
        int8.made(caught, TARGET, model, ONNX_RUNTIME)
