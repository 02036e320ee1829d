"""int8 end to end: a trained network, captured, lowered, finished, and run by the engine."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgefn import backends
from edgefn.accuracy.judge import judge
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Judging
from edgefn.accuracy.verdict import Agreement
from edgefn.backends.onnxruntime import settings
from edgefn.compile import lower
from edgefn.compile.quantize import gate, int8
from edgefn.compile.quantize.engine import ONNX_RUNTIME, opened
from edgefn.compile.quantize.graph.graph import Graph
from edgefn.compile.quantize.graph.preparation import prepared
from edgefn.compile.quantize.static import qdq
from edgefn.compile.quantize.static.static import Static
from edgefn.errors import BuildError, GateError
from edgefn.golden import Pairs
from edgefn.quantization import Quantize
from edgefn.session import Session
from edgefn.targets.profiles import target

from .conftest import Digits

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

TARGET = target("x86-64-v3/int8")
LOOSE = Accuracy(error=10.0, top1=0.0, classes={"output": 1})


def has_vnni() -> bool:
    flags = Path("/proc/cpuinfo").read_text("utf-8")
    return bool(re.search(r"\b(avx512_vnni|avx_vnni|asimddp)\b", flags))


def exported(digits: Digits) -> onnx.ModelProto:
    captured = digits.captured()
    return onnx.load(captured.onnx(20))


def mean_square(one: Any, other: Any) -> float:
    return float(np.square(one - other).mean())


def agreement(digits: Digits, folder: Path) -> Agreement:
    return judged(backends.get("onnxruntime").load(folder), digits)


def judged(session: Session, digits: Digits) -> Agreement:
    """How a session does on samples that were never seen."""
    return judge(session, Pairs(digits.held), Judging(accuracy=LOOSE), "int8")


def share(session: Session, digits: Digits) -> float:
    """The share of rows whose top class agrees."""
    top1 = judged(session, digits).top1
    assert top1 is not None
    return top1.share


def test_an_int8_artifact_is_one_and_agrees(trained: Digits, tmp_path: Path) -> None:
    """All layers but the first, which gains nothing, run in eight bits; scores never seen stay near."""
    backend: Any = backends.get("onnxruntime")
    lowered = lower.get("onnxruntime").lower(trained.captured(), TARGET, tmp_path / "portable")
    assert lowered.quantized == {"Conv": 3, "Gemm": 1}
    assert len(lowered.kept) == 1, "the first convolution"
    assert lowered.opset == 20
    backend.finish(tmp_path / "portable", tmp_path / "finished")
    assert settings.read(tmp_path / "finished").precision == "int8"
    nodes = onnx.load(tmp_path / "finished" / "finished.onnx", load_external_data=False).graph.node
    assert sum(node.op_type in ("QLinearConv", "QGemm") for node in nodes) == 4
    seen = agreement(trained, tmp_path / "finished")
    assert seen.top1 is not None
    assert seen.top1.share >= 0.97
    assert seen.error < 0.1


def test_a_projects_own_profile_says_whether_products_saturate(trained: Digits, tmp_path: Path) -> None:
    """It is read from the project's folder, as the build's own profiles are from edgefn's."""
    runtime = (
        '[[runtimes]]\nbackend = "onnxruntime"\nprecisions = ["int8"]\nlibrary = "onnxruntime"\nverified = "none"\n'
    )
    for name, features in (("plain", ["avx2"]), ("exact", ["avx2", "avx_vnni"])):
        cpu = f'[cpu]\narch = "x86_64"\nfeatures = {features}\n'
        (tmp_path / f"{name}.toml").write_text(f'description = "{name}"\n{cpu}{runtime}')
    captured = trained.captured(calibration=40)
    captured.profiles = tmp_path
    recipes = [
        lower.get("onnxruntime").lower(captured, target(f"{name}/int8", folder=tmp_path), tmp_path / name).toolchain
        for name in ("plain", "exact")
    ]
    assert [one["int8"] for one in recipes] == ["static, weights in safe pairs", "static"]


def test_the_same_network_gives_the_same_bytes(trained: Digits, tmp_path: Path) -> None:
    """Nothing of the file depends on when or where it was made."""
    for name in ("one", "other"):
        lower.get("onnxruntime").lower(trained.captured(calibration=40), TARGET, tmp_path / name)
    assert (tmp_path / "one" / "model.onnx").read_bytes() == (tmp_path / "other" / "model.onnx").read_bytes()


def test_compensation_beats_the_nearest_integers(trained: Digits) -> None:
    """On samples never seen the compensated weights' scores err a fifth less, or better."""
    captured = trained.captured()
    model = prepared(exported(trained))
    static = Static(model, [one.inputs for one in captured.calibration], saturates=True)
    errors = []
    for _ in range(2):
        session = opened(static.fit.written(), {})
        errors.append(
            sum(mean_square(session.run(one.inputs)["output"], one.outputs["output"]) for one in trained.held)
        )
        static.compensate()
    assert errors[1] < 0.8 * errors[0], errors


@pytest.mark.skipif(has_vnni(), reason="this CPU adds four products in 32 bits: nothing saturates here")
def test_full_weights_saturate_here_and_safe_pairs_do_not(tmp_path: Path) -> None:
    """Trap 1: one file of eight-bit weights is wrong on this CPU, right with exact products; safe pairs are right
    at full speed."""
    random = np.random.default_rng(0)
    weight = random.uniform(0.6, 1, (32, 64)).astype(np.float32)
    x = random.uniform(0.6, 1, (50, 64)).astype(np.float32)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Gemm", ["x", "w"], ["y"], name="layer", transB=1)],
        "linear",
        [onnx.helper.make_tensor_value_info("x", 1, ["batch", 64])],
        [onnx.helper.make_tensor_value_info("y", 1, ["batch", 32])],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)

    def error(paired: bool, entries: dict[str, str]) -> float:
        written = Static(
            onnx.ModelProto.FromString(model.SerializeToString()), [{"x": x}], saturates=paired
        ).fit.written()
        y: Any = opened(written, entries).run({"x": x})["y"]
        return float(np.abs(y - x @ weight.T).max() / np.abs(y).max())

    saturated, exact, paired = error(False, {}), error(False, settings.EXACT_PRODUCTS), error(True, {})
    assert saturated > 5 * exact
    assert saturated > 5 * paired


def test_a_float_layer_between_integer_ones_stays_float(trained: Digits, tmp_path: Path) -> None:
    """The engine quantises no layer behind our back: it runs as many in eight bits as the file has."""
    (depthwise,) = (layer.name for layer in Graph(prepared(exported(trained))).layers if layer.form.groups > 1)
    lowered = lower.get("onnxruntime").lower(trained.captured(Quantize(keep=(depthwise,))), TARGET, tmp_path)
    assert depthwise in lowered.kept
    run = gate.in_engine(tmp_path / "model.onnx", {})
    assert sum(run.values()) == sum(lowered.quantized.values()) == 3


def test_layers_that_the_author_keeps_stay_float_and_a_typing_error_is_told(trained: Digits, tmp_path: Path) -> None:
    """`Quantize(keep=...)` takes parts of names."""
    captured = trained.captured(Quantize(keep=("linear",)))
    lowered = lower.get("onnxruntime").lower(captured, TARGET, tmp_path)
    assert lowered.quantized == {"Conv": 3}
    assert len(lowered.kept) == 2
    with pytest.raises(BuildError, match=r"model digits.*'lineer'.*there are .*linear"):
        lower.get("onnxruntime").lower(trained.captured(Quantize(keep=("lineer",))), TARGET, tmp_path)


def test_a_float_file_is_not_called_int8(trained: Digits, tmp_path: Path) -> None:
    """Trap 2: with every layer kept nothing is quantised, and the gate names the model and the target."""
    captured = trained.captured(Quantize(keep=("node",)))
    with pytest.raises(GateError, match=r"x86-64-v3/int8 of model digits.*none of its operators is quantised"):
        lower.get("onnxruntime").lower(captured, TARGET, tmp_path)


def test_a_missed_bound_tells_the_figures(trained: Digits, tmp_path: Path) -> None:
    """Model, target, what was reached, what was wanted, what was tried, what to do."""
    captured = trained.captured(accuracy=Accuracy(error=1e-5), calibration=40)
    with pytest.raises(GateError) as caught:
        lower.get("onnxruntime").lower(captured, TARGET, tmp_path)
    for part in ("x86-64-v3/int8 of model digits", "is off by", "0.001 %", "exact products", "Quantize(epochs=...)"):
        assert part in str(caught.value)


def test_without_calibration_the_build_says_what_to_write(trained: Digits, tmp_path: Path) -> None:
    """Static int8 needs real inputs."""
    with pytest.raises(BuildError, match=r"model digits .*x86-64-v3/int8.*@edge_model\(calibration="):
        lower.get("onnxruntime").lower(trained.captured(calibration=0), TARGET, tmp_path)


def test_fine_tuning_helps_where_post_training_int8_misses(trained: Digits) -> None:
    """With activations' ranges far too wide, post-training int8 misses a bound that fine-tuning then reaches."""
    from edgefn.compile.quantize.static import propagation
    from edgefn.compile.quantize.training import finetune

    captured = trained.captured()
    model = prepared(exported(trained))
    static = Static(model, [one.inputs for one in captured.calibration], saturates=True)
    static.ranges = {name: type(one)(one.low * 80, one.high * 80) for name, one in static.ranges.items()}
    static.compensate()
    before = judged(opened(static.fit.written(), {}), trained)
    wanted = propagation.pieces([one.outputs for one in captured.calibration], ["output"], propagation.PIECE)["output"]
    losses = finetune.train(finetune.Student(static.graph, static), static.fed, [(one,) for one in wanted], 15)
    after = judged(opened(static.fit.written(), {}), trained)
    assert losses[-1] < 0.5 * losses[0]
    assert after.top1 is not None
    assert before.top1 is not None
    assert after.top1.share > before.top1.share + 0.02, (before, after)
    assert after.error < before.error


@pytest.mark.long
def test_fine_tuning_that_makes_it_worse_is_not_kept(trained: Digits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps far too large spoil the network: the file is the one without them."""
    from edgefn.compile.quantize.training import finetune

    monkeypatch.setattr(finetune, "RATE", 3.0)
    made = int8.made(trained.captured(Quantize(epochs=1), LOOSE), TARGET, exported(trained), ONNX_RUNTIME)
    plain = int8.made(trained.captured(accuracy=LOOSE), TARGET, exported(trained), ONNX_RUNTIME)
    assert "fine-tuned" not in made.recipe
    assert share(opened(made.model, {}), trained) == share(opened(plain.model, {}), trained)


@pytest.mark.long
def test_pruning_shrinks_the_network_and_fine_tuning_mends_it(trained: Digits) -> None:
    """Three fifths of the channels are gone from file and arithmetic, and lost answers are back after fine-tuning."""
    full = int8.made(trained.captured(accuracy=LOOSE), TARGET, exported(trained), ONNX_RUNTIME)
    made = {}
    for epochs in (0, 15):
        captured = trained.captured(Quantize(epochs=epochs, sparsity=0.6), LOOSE)
        made[epochs] = int8.made(captured, TARGET, exported(trained), ONNX_RUNTIME).model
    weights = [sum(value.size for value in Graph(model).constants.values()) for model in (made[15], full.model)]
    assert weights[0] < 0.5 * weights[1]
    reached = {epochs: share(opened(model, {}), trained) for epochs, model in made.items()}
    assert reached[15] > reached[0] + 0.02, reached


def test_all_activations_between_integer_layers_are_eight_bits(trained: Digits) -> None:
    """No float tensor is left between two layers: each is quantised in the file."""
    made = int8.made(trained.captured(accuracy=LOOSE), TARGET, exported(trained), ONNX_RUNTIME)
    assert len(qdq.quantised_tensors(made.model)) >= 5


def test_no_range_clips_the_networks_output(trained: Digits) -> None:
    """The last matrix product gives its sums in float: the largest score of an input never seen may be larger."""
    made = int8.made(trained.captured(accuracy=LOOSE, calibration=40), TARGET, exported(trained), ONNX_RUNTIME)
    (last,) = (node for node in made.model.graph.node if "output" in node.output)
    assert last.op_type == "Gemm"
    session = opened(made.model, {})
    scores: Any = [(session.run(one.inputs)["output"].max(), one.outputs["output"].max()) for one in trained.held]
    got, wanted = np.transpose(scores)
    assert got.max() > 0.95 * wanted.max()


def test_what_a_convolution_gives_out_has_the_whole_range_that_was_seen() -> None:
    """It must be eight bits for the convolution to be, so its range is not the one of least error, which clips."""
    random = np.random.default_rng(0)
    weight, x = random.standard_normal((4, 8, 1, 1)).astype(np.float32), random.standard_normal((16, 8, 4, 4))
    node = onnx.helper.make_node("Conv", ["x", "w"], ["y"], name="layer")
    given, found = (onnx.helper.make_tensor_value_info(n, 1, ["batch", c, 4, 4]) for n, c in (("x", 8), ("y", 4)))
    graph = onnx.helper.make_graph([node], "net", [given], [found], [onnx.numpy_helper.from_array(weight, "w")])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)], ir_version=10)
    static = Static(model, [{"x": x.astype(np.float32)}], saturates=False)
    y = np.einsum("oi,bihw->bohw", weight[:, :, 0, 0], x)
    np.testing.assert_allclose(static.ranges["y"], (y.min(), y.max()), rtol=1e-5)


def test_nan_is_no_number_of_eight_bits(trained: Digits, tmp_path: Path) -> None:
    """What is quantised is a number whatever it was: such a call is declined."""
    backend: Any = backends.get("onnxruntime")
    lower.get("onnxruntime").lower(trained.captured(), TARGET, tmp_path)
    session = backend.load(tmp_path)
    inputs = {name: array.copy() for name, array in trained.held[0].inputs.items()}
    assert session.run(inputs)
    for array in inputs.values():
        array.reshape(-1)[0] = np.nan
    with pytest.raises(ValueError, match="NaN or infinities go into steps of which onnxruntime would make numbers"):
        session.run(inputs)
