"""The gate of the build: an artifact out of its bound does not pass. Without torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgefn import backends, golden
from edgefn.accuracy import judging
from edgefn.accuracy.bound import Bound
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Judging
from edgefn.accuracy.verdict import Agreement
from edgefn.compile.jobs.job import Job
from edgefn.compile.jobs.lowering import Work
from edgefn.compile.judging import engines
from edgefn.compile.judging.verify import ROUNDS, AccuracyGate, check, measure, verify
from edgefn.errors import BuildError, GateError
from edgefn.golden import GoldenSample, Pairs
from edgefn.quantization import Quantize
from edgefn.spec import TensorSpec
from edgefn.targets.profiles import Target

XS = [np.array([[1.0, -2.0, 3.0]], np.float32) * factor for factor in (1, 2, -3)]
X = XS[0]


@pytest.fixture
def portable(tmp_path: Path) -> Path:
    """A folder with a portable model: y = x + x."""
    (tmp_path / "portable").mkdir()
    return saved(tmp_path / "portable", "Add", ["x", "x"], ("batch", 3))


def saved(folder: Path, operator: str, inputs: list[str], shape: tuple[str | int, ...]) -> Path:
    """Write a model of one `operator`, y of x, into `folder`."""
    graph = helper.make_graph(
        [helper.make_node(operator, inputs, ["y"])],
        "double",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), folder / "model.onnx"
    )
    return folder


def verified(portable: Path, factor: float, bound: Bound | None = None) -> Agreement:
    pairs = Pairs(tuple(GoldenSample({"x": x}, {"y": np.float32(factor) * x}) for x in XS))
    return verify(
        backends.get("onnxruntime"),
        portable,
        pairs,
        AccuracyGate(Judging(), bound=bound),
        "portable/fp32 of model double",
    )


def test_an_artifact_that_agrees_passes(portable: Path) -> None:
    """Figures are exact where outputs are."""
    agreement = verified(portable, 2)
    assert (agreement.verdict, agreement.error, agreement.max_error, agreement.samples) == ("right", 0.0, 0.0, 3)
    check(agreement, "double")


def test_an_artifact_out_of_its_bound_is_stopped_with_the_figures(portable: Path) -> None:
    """GateError names the artifact and says how far it is off and what can be done."""
    with pytest.raises(GateError, match=r"double.*y is off by 7.4 % of what it moves.*accuracy=") as caught:
        check(verified(portable, 2.2), "portable/fp32 of model double")
    assert caught.value.exit_code == 4


def test_a_tolerance_is_held_beside(portable: Path) -> None:
    """What `tolerance=` asks for keeps its meaning: the largest error over the largest value."""
    agreement = verified(portable, 2 + 1e-5, Bound(max_error=1e-6))
    assert "is over its bound 1.00e-06 (tolerance=)" in agreement.reason
    assert verified(portable, 2 + 1e-5, Bound(max_error=1e-3)).passed


def test_an_artifact_that_does_not_load_is_a_build_error(portable: Path) -> None:
    """A damaged file is told by the artifact's name."""
    (portable / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(BuildError, match="model double does not load"):
        verified(portable, 2)


def test_an_artifact_that_does_not_run_is_a_build_error(portable: Path) -> None:
    """Inputs that the artifact does not take are a failure and no pass."""
    pairs = Pairs((GoldenSample({"x": X[:, :2]}, {"y": X[:, :2]}),))
    with pytest.raises(BuildError, match="double fails on its golden samples"):
        verify(backends.get("onnxruntime"), portable, pairs, AccuracyGate(Judging()), "double")


class _Optimising:
    """ONNX Runtime, as if its optimiser had a fault."""

    name = "onnxruntime"

    def __init__(self, factor: float) -> None:
        self._engine: Any = backends.get("onnxruntime")
        self._factor = np.float32(factor)

    def finish(self, portable: Path, folder: Path) -> None:
        self._engine.finish(portable, folder)

    def load(self, folder: Path, *, batched: bool = False) -> Any:
        session = self._engine.load(folder, batched=batched)
        factor = self._factor

        class Session:
            def run(self, inputs: Any) -> Any:
                return {name: array * factor for name, array in session.run(inputs).items()}

        return Session()


@pytest.mark.parametrize(
    ("eager", "engine", "what", "do"),
    [
        (2.0, 1.1, "its engine changes the answer", "leave this target out"),
        (2.2, 1.0, "its translation to ONNX does", "write that step with other operators"),
    ],
)
def test_the_guilty_one_is_named(portable: Path, eager: float, engine: float, what: str, do: str) -> None:
    """The engine where the file answers right as it stands, else the file."""
    pairs = Pairs(tuple(GoldenSample({"x": x}, {"y": np.float32(eager) * x}) for x in XS))
    backend: Any = _Optimising(engine)
    found = verify(backend, portable, pairs, AccuracyGate(Judging()), "double")
    assert what in found.reason
    with pytest.raises(GateError, match=do):
        check(found, "double")


class _Noisy:
    """ONNX Runtime, as if an operator had a fault: `change` is made of each answer."""

    def __init__(self, change: Callable[[Any], Any], name: str = "lab") -> None:
        self.name = name
        self._engine: Any = backends.get("onnxruntime")
        self._change = change

    def finish(self, portable: Path, folder: Path) -> None:
        self._engine.finish(portable, folder)

    def load(self, folder: Path, *, batched: bool = False) -> Any:
        session, change = self._engine.load(folder, batched=batched), self._change

        class Session:
            def run(self, inputs: Any) -> Any:
                return {name: change(array) for name, array in session.run(inputs).items()}

        return Session()


SAMPLES = [
    GoldenSample({"x": x}, {"y": x + x})
    for x in np.random.default_rng(0).standard_normal((16, 1, 3)).astype(np.float32)
]
JUDGING = judging.found("double", {"y": TensorSpec("float32", ("batch", 3))}, SAMPLES, Accuracy(error={"bf16": 0.1}))


def off_by(share: float) -> Callable[[Any], Any]:
    """Return a wrong operator: each number is off by `share` of what the answers move, up or down."""
    return lambda y: (y + 2 * share * np.sign(np.sin(1e4 * y))).astype(np.float32)


@pytest.mark.parametrize(("share", "passes"), [(0.0, True), (0.02, True), (0.07, False), (0.09, False)])
def test_an_engine_that_is_wrong_within_the_bound_is_refused(portable: Path, share: float, passes: bool) -> None:
    """Eight bits may be off by a tenth from eager; two engines on one file by half of that."""
    backend: Any = _Noisy(off_by(share))
    alone = verify(backend, portable, Pairs(tuple(SAMPLES)), AccuracyGate(JUDGING, "int8"), "double")
    assert alone.passed
    beside = verify(backend, portable, Pairs(tuple(SAMPLES)), AccuracyGate(JUDGING, "int8", engines=True), "double")
    assert beside.passed == passes
    if not passes:
        assert beside.reason.startswith("its engine computes the file otherwise than the file says: y is off by")
        with pytest.raises(GateError, match="leave this target out"):
            check(beside, "double", quantized=True)


@pytest.mark.parametrize(
    ("target", "passes"),
    [("lab/int8/lab", False), ("portable/int8/onnxruntime", True), ("lab/bf16/lab", True)],
)
def test_eight_bits_of_a_foreign_engine_are_held_against_their_file(
    portable: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, passes: bool
) -> None:
    """By a compiler's process; ONNX Runtime would be held against itself, and other precisions have narrow limits."""
    backend = _Noisy(off_by(0.07))
    monkeypatch.setattr("edgefn.compile.jobs.lowering.backends.get", lambda name: backend)
    golden.write(SAMPLES, tmp_path / "golden.npz")
    profile, precision, engine = target.split("/")
    job = Job(
        model="double",
        target=Target(profile, precision, engine),
        cache="",
        golden=str(tmp_path / "golden.npz"),
        judges=tuple(range(len(SAMPLES))),
        judging=JUDGING,
        quantize=Quantize(),
        files=str(portable),
        prove=True,
    )
    work = Work(job, tmp_path)
    if passes:
        work.run()
    else:
        with pytest.raises(GateError, match="its engine computes the file otherwise"):
            work.run()


def test_engines_may_put_nearly_equal_rows_in_another_order(tmp_path: Path) -> None:
    """Two rows whose scores are equal change places: neither engine computes otherwise than the file."""
    saved(tmp_path, "Identity", ["x"], ("rows", 12))
    random = np.random.default_rng(0)
    rows = np.sort(random.uniform(0, 1, (16, 1, 12)), axis=-1)[..., ::-1].astype(np.float32)
    rows[..., 3] = rows[..., 4]
    beside = random.normal(0, 1, rows.shape).astype(np.float32)
    samples = [GoldenSample({"x": one}, {"y": one, "z": other}) for one, other in zip(rows, beside, strict=True)]
    found = judging.found("net", dict.fromkeys("yz", TensorSpec("float32", (1, 12))), samples, Accuracy())
    assert found.orders
    wanted = {sample.inputs["x"].tobytes(): sample.outputs for sample in samples}

    class Reference:
        def run(self, inputs: Any) -> Any:
            return wanted[inputs["x"].tobytes()]

    class Swapping:
        def run(self, inputs: Any) -> Any:
            order = [0, 1, 2, 4, 3, *range(5, 12)]
            return {name: array[:, order] for name, array in Reference().run(inputs).items()}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engines, "literal", lambda path: Reference())
        assert engines.apart(tmp_path, Swapping(), samples, found) == ""


def test_what_no_sample_shows_does_not_part_engines(portable: Path) -> None:
    """Eager's answers judge that: an output that is empty or still in the first samples is as the file has it."""
    for x in (np.ones((1, 3), np.float32), np.zeros((0, 3), np.float32)):
        samples = [GoldenSample({"x": x}, {"y": x + x})] * 5
        session = _Noisy(lambda y: y).load(portable)
        assert engines.apart(portable, session, samples, JUDGING) == ""


def test_an_artifact_that_is_no_onnx_file_has_no_other_engine(tmp_path: Path) -> None:
    """A library, or another format."""
    assert engines.apart(tmp_path, _Noisy(off_by(1)), SAMPLES, JUDGING) == ""  # type: ignore[arg-type]


def test_both_are_timed_alike(portable: Path) -> None:
    """Eager and artifact run the same number of times."""

    class Counting:
        calls = 0

        def run(self, inputs: object) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
            self.calls += 1
            return {}

    eager = Counting()
    latency = measure(backends.get("onnxruntime"), portable, eager, {"x": X}, "double")
    assert eager.calls == ROUNDS + 1
    assert latency.ratio == latency.artifact_s / latency.eager_s > 0
