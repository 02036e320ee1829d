"""OpenVINO: float32 and int8 artifacts are right in any batch size and after a fork, and what is no int8 is told."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn import backends
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Judging
from edgefn.compile import lower
from edgefn.compile.capture.capture import Capture, capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.errors import BuildError, BundleError, GateError
from edgefn.golden import GoldenSample
from edgefn.quantization import Quantize
from edgefn.spec import ModelSpec, TensorSpec
from edgefn.targets.profiles import target
from tests.edgefn.compile.capture.test_exporting import of
from tests.edgefn.compile.quantize.networks import Caught, weights
from tests.edgefn.compile.quantize.networks import network as network_of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SPEC = ModelSpec("net", {"pixels": TensorSpec("float32", ("batch", 3, 16, 16))})
BACKEND = backends.get("openvino")
LOWERING = lower.get("openvino")
FP32, INT8 = target("x86-64-v3/fp32"), target("x86-64-v3/int8@openvino")

IN_A_FORK = """
import os, sys
from pathlib import Path
import numpy as np
from edgefn import backends
session = backends.get("openvino").load(Path(sys.argv[1]))
x = {"pixels": np.ones((1, 3, 16, 16), np.float32)}
wanted = session.run(x)["output"]
for again in range(2):
    child = os.fork()
    if not child:
        os._exit(0 if np.array_equal(session.run(x)["output"], wanted) else 1)
    assert os.waitpid(child, 0)[1] == 0
print("openvino_telemetry.main" in sys.modules)
"""


SATURATION = """
import sys
import numpy as np, onnx
from edgefn.compile.lower.openvino.int8 import ENGINE
from edgefn.compile.quantize.static.static import Static
random = np.random.default_rng(0)
weight = random.uniform(0.6, 1, (32, 64, 1, 1)).astype(np.float32)
x = random.uniform(0.6, 1, (8, 64, 8, 8)).astype(np.float32)
value, helper = onnx.helper.make_tensor_value_info, onnx.helper
graph = helper.make_graph(
    [helper.make_node("Conv", ["x", "w"], ["y"], name="layer")], "one",
    [value("x", 1, ["batch", 64, 8, 8])], [value("y", 1, ["batch", 32, 8, 8])],
    [onnx.numpy_helper.from_array(weight, "w")],
)
for paired in (False, True):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    static = Static(model, [{"x": one[None]} for one in x], saturates=paired)
    y = ENGINE.opened(static.fit._replace(kept=()).written(), {}).run({"x": x})["y"]
    wanted = np.einsum("oi,bihw->bohw", weight[:, :, 0, 0], x)
    print(float(np.abs(y - wanted).max() / np.abs(wanted).max()))
"""


BFLOAT = """
import sys
from pathlib import Path
from types import SimpleNamespace
from edgefn.compile import lower
from edgefn.spec import ModelSpec, TensorSpec
from edgefn.targets.profiles import target
spec = ModelSpec("net", {"x": TensorSpec("float32", ("batch", 3, 16, 16))})
caught = SimpleNamespace(own_opset=None, model=spec, sizes={"batch": 1}, onnx=lambda opset: Path(sys.argv[1]))
lower.get("openvino").lower(caught, target("x86-64-v4/bf16"), Path(sys.argv[2]))
"""


def network() -> Any:
    """Convolutions and a classifier."""
    from torch import nn

    return nn.Sequential(
        *(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 10)),
    )


def pixels(seed: int, batch: int = 1) -> dict[str, Any]:
    """The same for the same seed."""
    return {"pixels": np.random.default_rng(seed).standard_normal((batch, 3, 16, 16)).astype(np.float32)}


@pytest.fixture(scope="module")
def eager() -> EagerSession:
    return EagerSession(network, SPEC)


@pytest.fixture(scope="module")
def caught(eager: EagerSession) -> Capture:
    found = capture(eager, {"batch": 1})
    found.sizes = {"batch": 1}
    found.judging = Judging(accuracy=Accuracy(error=0.2))
    inputs = [pixels(seed) for seed in range(24)]
    found.calibration = tuple(GoldenSample(one, eager.run(one)) for one in inputs)
    return found


@pytest.fixture(scope="module")
def finished(caught: Capture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fp32")
    assert LOWERING.lower(caught, FP32, folder / "portable").quantized == {}
    BACKEND.finish(folder / "portable", folder / "finished")
    return folder / "finished"


def test_float32_is_right_in_any_batch_size(eager: EagerSession, finished: Path) -> None:
    """The samples' size by the compiled blob, others by the model beside it; batches that gather by one for all."""
    for session in (BACKEND.load(finished), BACKEND.load(finished, batched=True)):
        for batch in (1, 2, 7, 1):
            wanted: Any = eager.run(pixels(batch, batch))["output"]
            found: Any = session.run(pixels(batch, batch))["output"]
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("onesided", [True, False])
def test_a_transform_of_a_free_length(onesided: bool, tmp_path: Path) -> None:
    """STFT, which openvino converts of fixed sizes only, and its inverse."""
    import torch

    def forward(x: Any) -> Any:
        z = torch.stft(x, 64, 24, window=torch.hamming_window(64), onesided=onesided, return_complex=True)
        return torch.view_as_real(z), torch.istft(z * 2, 64, 24, window=torch.hamming_window(64), onesided=onesided)

    eager = of(forward, x=TensorSpec("float32", ("batch", "n")))
    caught = capture(eager, {"batch": 1, "n": 300})
    caught.sizes = {"batch": 1, "n": 300}
    LOWERING.lower(caught, FP32, tmp_path / "portable")
    BACKEND.finish(tmp_path / "portable", tmp_path / "finished")
    session = BACKEND.load(tmp_path / "finished")
    for shape in ((1, 300), (3, 77), (2, 1000)):
        x = {"x": np.random.default_rng(0).standard_normal(shape).astype(np.float32)}
        wanted: dict[str, Any] = dict(eager.run(x))
        found: dict[str, Any] = dict(session.run(x))
        for name, array in wanted.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-5 * np.abs(array).max())


@pytest.mark.parametrize("kind", ["int64", "int32"])
def test_integers_beyond_float32_are_refused(kind: str, tmp_path: Path) -> None:
    """openvino divides, sums and compares in float32, so another artifact answers; the largest allowed are right."""
    eager = of(
        lambda x: (x // 7, x % 97, x == 2**23 - 1, x.amax(1), (x * 2 - x) // 2), x=TensorSpec(kind, ("batch", 4))
    )
    LOWERING.lower(capture(eager, {"batch": 1}), FP32, tmp_path)
    session = BACKEND.load(tmp_path)
    x = np.array([[2**23, 2**23 - 1, 5, -(2**23)]], kind)
    wanted = eager.run({"x": x})
    for name, found in session.run({"x": x}).items():
        np.testing.assert_array_equal(found, wanted[name], strict=True)
    for far in (x + 1, x - 1, x * 100):
        with pytest.raises(ValueError, match="input 'x' holds integers beyond 8388608"):
            session.run({"x": far})


@pytest.mark.parametrize("largest", [1e3, 1e4, 3e5, 1e7])
def test_integers_that_come_of_the_network_are_right_or_refused(largest: float, tmp_path: Path) -> None:
    """Squares, sums, microseconds beyond 2^24 or 2^31: never rounded, never cut off."""
    import torch

    def forward(x: Any, n: Any) -> Any:
        return (x * 1e6).long(), n * n, (n * n).sum(1), n.cumsum(1), torch.full_like(n, 7)

    eager = of(forward, x=TensorSpec("float32", ("batch", 4)), n=TensorSpec("int64", ("batch", 4)))
    LOWERING.lower(capture(eager, {"batch": 1}), FP32, tmp_path)
    session = BACKEND.load(tmp_path)
    draw = np.random.default_rng(0)
    for factor in (1e-3, 1e-2, 0.1, 0.5):
        seconds = (draw.random((1, 4)) * largest * factor * 1e-3).astype(np.float32)
        inputs: dict[str, Any] = {"x": seconds, "n": draw.integers(0, int(largest * factor) + 1, (1, 4))}
        wanted = eager.run(inputs)
        if max(int(array.max()) for array in wanted.values()) >= 2**24:
            with pytest.raises(ValueError, match="openvino computes with float32"):
                session.run(inputs)
            continue
        outputs = session.run(inputs)
        for name, found in outputs.items():
            np.testing.assert_array_equal(found, wanted[name], strict=True)


def test_doubles_that_float32_does_not_hold_are_refused(tmp_path: Path) -> None:
    """Seconds since 1970 lose minutes in float32, so another artifact answers; those that it holds are right."""
    eager = of(lambda t: (t - t[:, :1]).float(), t=TensorSpec("float64", ("batch", 4)))
    LOWERING.lower(capture(eager, {"batch": 1}), FP32, tmp_path)
    session = BACKEND.load(tmp_path)
    held = {"t": np.array([[0.5, 1.25, 3.0, 2.0**20]])}
    np.testing.assert_array_equal(session.run(held)["output"], eager.run(held)["output"])
    with pytest.raises(ValueError, match="input 't' holds float64 numbers"):
        session.run({"t": 1.7e9 + np.array([[0.1, 1.2, 3.0, 4.0]])})


def test_a_session_runs_after_a_fork_and_tells_nobody(finished: Path) -> None:
    """In two children, one after the other, though its threads are the parent's; telemetry is not even imported."""
    command = [sys.executable, "-c", IN_A_FORK, str(finished)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "False\n"), done.stderr


def test_int8_has_int8_operators_that_agree(caught: Capture, eager: EagerSession, tmp_path: Path) -> None:
    """Counted in the file and in the engine, and near eager on inputs that it was not calibrated with."""
    lowered = LOWERING.lower(caught, INT8, tmp_path / "portable")
    assert lowered.quantized["Gemm"] == 1
    assert lowered.quantized["Conv"] + len(lowered.kept) == 2, "ours keeps the first convolution in float"
    assert "static" in lowered.toolchain["int8"]
    BACKEND.finish(tmp_path / "portable", tmp_path / "finished")
    session = BACKEND.load(tmp_path / "finished")
    for seed in range(100, 104):
        wanted: Any = eager.run(pixels(seed))["output"]
        found: Any = session.run(pixels(seed))["output"]
        assert np.abs(found - wanted).max() <= 0.2 * np.abs(wanted).max()


def test_int8_of_a_transform_of_a_free_length(tmp_path: Path) -> None:
    """A network on a spectrogram: its STFT is made of what openvino has before the rest is quantised."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    heard = nn.Sequential(
        *(nn.Conv2d(1, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d((8, 1))),
        *(nn.Flatten(), nn.Linear(128, 5)),
    )

    def forward(x: Any) -> Any:
        z = torch.stft(x, 64, 32, window=torch.hann_window(64), return_complex=True)
        return heard(torch.log1p(z.abs())[:, None])

    def sound(seed: int, samples: int) -> dict[str, Any]:
        draw = np.random.default_rng(seed)
        tone = np.sin(np.arange(samples) * draw.uniform(0.05, 2.5, (1, 1)))
        return {"x": (tone + 0.1 * draw.standard_normal((1, samples))).astype(np.float32)}

    eager = of(forward, x=TensorSpec("float32", ("batch", "n")))
    caught = capture(eager, {"batch": 1, "n": 1600})
    caught.sizes = {"batch": 1, "n": 1600}
    caught.judging = Judging(accuracy=Accuracy(error=0.2))
    caught.calibration = tuple(
        GoldenSample(one, eager.run(one)) for one in (sound(seed, 1600 + 64 * seed) for seed in range(24))
    )
    lowered = LOWERING.lower(caught, INT8, tmp_path / "portable")
    assert lowered.quantized["Conv"] >= 1
    BACKEND.finish(tmp_path / "portable", tmp_path / "finished")
    session = BACKEND.load(tmp_path / "finished")
    for seed in range(100, 104):
        wanted: Any = eager.run(sound(seed, 1000 + 100 * seed))
        found: Any = session.run(sound(seed, 1000 + 100 * seed))
        for name, array in wanted.items():
            assert np.abs(found[name] - array).max() <= 0.2 * np.abs(array).max()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="ARM widens its products before it adds them")
def test_safe_pairs_hold_where_full_weights_saturate() -> None:
    """Trap 1 on any x86: the engine is kept to AVX2, as on a CPU without VNNI."""
    command = [sys.executable, "-c", SATURATION]
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    full, paired = map(float, done.stdout.split())
    assert paired < 0.02
    assert full > 5 * paired


def test_int8_without_real_inputs_is_refused(eager: EagerSession, tmp_path: Path) -> None:
    """With the model, the target, and what to write."""
    with pytest.raises(BuildError, match=r"model net has no calibration inputs.*x86-64-v3/int8@openvino.*calibration="):
        LOWERING.lower(capture(eager), INT8, tmp_path)


def test_a_float_network_called_int8_is_refused(caught: Capture, tmp_path: Path) -> None:
    """With every layer kept in float there is no int8, and that is an error."""
    kept = Capture(caught.model, caught.program, {})
    kept.calibration, kept.sizes, kept.quantize = caught.calibration, caught.sizes, Quantize(keep=("",))
    kept.judging = Judging(accuracy=Accuracy(error=0.5))
    with pytest.raises(GateError, match=r"x86-64-v3/int8@openvino of model net.*none of its operators is quantised"):
        LOWERING.lower(kept, INT8, tmp_path)


def test_float_stays_float32_on_a_cpu_that_could_do_less(finished: Path) -> None:
    """Trap: where a CPU has bfloat16 the engine takes it unless it is told, and agrees on 0.94 of the crops."""
    from edgefn.backends.openvino import session

    compiled = session.compiled(session.read(finished / "model.xml"))
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"


def test_what_another_version_made_is_refused(finished: Path, tmp_path: Path) -> None:
    """A damaged blob, and a folder without one: both are told as something to finish again or to build."""
    with pytest.raises(BundleError, match="holds no artifact of openvino"):
        BACKEND.load(tmp_path)
    for file in finished.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "usual.blob").write_bytes(b"\x01" * 4096)
    with pytest.raises(BundleError, match=r"cannot load usual.blob.*finished again"):
        BACKEND.load(tmp_path)


@pytest.fixture
def plain(tmp_path: Path) -> Caught:
    """A network of two convolutions and a matrix product, for any batch."""
    text = (
        "net (float[N,3,16,16] x) => (float[N,10] y) {\n"
        "a = Conv <kernel_shape: ints = [3,3]> (x, w1, b1)\n b = Relu (a)\n"
        "c = Conv <kernel_shape: ints = [3,3]> (b, w2, b2)\n d = Relu (c)\n"
        "e = GlobalAveragePool (d)\n f = Flatten (e)\n y = Gemm (f, w3, b3)\n}"
    )
    constants = weights(w1=(16, 3, 3, 3), b1=(16,), w2=(32, 16, 3, 3), b2=(32,), w3=(32, 10), b3=(10,))
    found = Caught(network_of(text, constants), [{"x": pixels(seed)["pixels"]} for seed in range(4)], tmp_path)
    found.model = ModelSpec("net", {"x": TensorSpec("float32", ("batch", 3, 16, 16))})
    return found


@pytest.mark.skipif("avx512_bf16" not in Path("/proc/cpuinfo").read_text(), reason="this CPU has no bfloat16")
def test_bf16_is_run_in_bfloat16_and_agrees(plain: Caught, tmp_path: Path) -> None:
    """Finished or not, for the samples' size and for others: near float32, and not its answers."""
    assert LOWERING.lower(plain, target("x86-64-v4/bf16"), tmp_path / "portable").quantized == {}
    BACKEND.finish(tmp_path / "portable", tmp_path / "finished")
    inputs: Any = [one.inputs["x"] for one in plain.calibration]
    outputs: Any = [one.outputs["y"] for one in plain.calibration]
    for session in (BACKEND.load(tmp_path / "portable"), BACKEND.load(tmp_path / "finished")):
        for count in (1, 4):
            wanted = np.concatenate(outputs[:count])
            found: Any = session.run({"x": np.concatenate(inputs[:count])})["y"]
            assert 1e-5 < np.abs(found - wanted).max() / np.abs(wanted).max() < 0.02


def test_bf16_is_refused_where_the_cpu_has_none(plain: Caught, tmp_path: Path) -> None:
    """Nothing would be proved there: the engine refuses, or computes in float32 without a word."""
    done = subprocess.run(
        [sys.executable, "-c", BFLOAT, str(plain.onnx(20)), str(tmp_path / "out")],
        env=os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert "x86-64-v4/bf16 of model net" in done.stderr, done.stderr
    assert "runs none of its layers in bfloat16" in done.stderr


@pytest.mark.long
def test_a_first_run_of_length_one_decides_nothing(tmp_path: Path) -> None:
    """A causal decoder answers one token, then many: openvino keeps what it chose for the first run."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    layer = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True, norm_first=True)
    mask = nn.Transformer.generate_square_subsequent_mask
    eager = of(
        lambda decoder, x: decoder(x, x.flip(1), tgt_mask=mask(x.shape[1]), tgt_is_causal=True),
        nn.TransformerDecoder(layer, 2),
        x=TensorSpec("float32", ("batch", "length", 8)),
    )
    LOWERING.lower(capture(eager, {"batch": 2, "length": 12}), FP32, tmp_path)
    for batched in (False, True):
        session = BACKEND.load(tmp_path, batched=batched)
        for rows, length in ((1, 1), (2, 40), (1, 1), (3, 17), (2, 1), (1, 100)):
            x = {"x": np.random.default_rng(length).normal(size=(rows, length, 8)).astype(np.float32)}
            found, wanted = (np.asarray(one.run(x)["output"], np.float64) for one in (session, eager))
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)
