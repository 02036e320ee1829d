"""Capture and lowering: dynamic dimensions, parity, a clean file, and refusals that say what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from edgefn import backends
from edgefn.compile import lower
from edgefn.compile.author import blame
from edgefn.compile.capture.capture import Capture, capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.compile.onnx import file
from edgefn.errors import BuildError
from edgefn.spec import ModelSpec, TensorSpec
from edgefn.targets.profiles import target

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SPEC = ModelSpec(
    "net", {"pixels": TensorSpec("float32", ("batch", 1, 8, 8)), "bias": TensorSpec("float32", ("classes",))}
)


def network() -> Any:
    """A convolutional network with two inputs, two symbols and a dict of outputs."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = torch.nn.Conv2d(1, 4, 3)
            self.linear = torch.nn.Linear(4 * 36, 32)

        def forward(self, bias: torch.Tensor, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
            features = torch.relu(self.convolution(pixels)).flatten(1)
            hidden = self.linear(features)
            return {"scores": hidden.sum(1, keepdim=True) + bias, "best": hidden.argmax(1)}

    return Net()


@pytest.fixture(scope="module")
def eager() -> EagerSession:
    return EagerSession(network, SPEC)


@pytest.fixture(scope="module")
def captured(eager: EagerSession) -> Capture:
    return capture(eager, {"classes": 5, "batch": 1})


@pytest.fixture(scope="module")
def portable(captured: Capture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("portable")
    assert lower.get("onnxruntime").lower(captured, target("portable/fp32"), folder).opset == 20
    return folder


def arrays(batch: int, classes: int) -> dict[str, Any]:
    random = np.random.default_rng(batch)
    return {
        "pixels": random.standard_normal((batch, 1, 8, 8)).astype(np.float32),
        "bias": random.standard_normal(classes).astype(np.float32),
    }


def test_the_spec_gains_the_outputs_of_the_network(captured: Capture) -> None:
    """Names, dtypes and shapes are the network's, free dimensions by the names that the inputs gave them."""
    assert captured.model.outputs == {
        "scores": TensorSpec("float32", ("batch", "classes")),
        "best": TensorSpec("int64", ("batch",)),
    }


@pytest.mark.parametrize(("batch", "classes"), [(1, 1), (2, 5), (7, 3)])
def test_the_artifact_computes_what_eager_does_for_every_size(
    eager: EagerSession, portable: Path, batch: int, classes: int
) -> None:
    """Free dimensions are free, 1 included, which torch.export would take for a constant."""
    inputs = arrays(batch, classes)
    found: Any = backends.get("onnxruntime").load(portable).run(inputs)
    wanted: Any = eager.run(inputs)
    assert found.keys() == wanted.keys()
    np.testing.assert_allclose(found["scores"], wanted["scores"], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found["best"], wanted["best"])


def test_the_file_says_nothing_of_where_it_was_made(portable: Path) -> None:
    """No paths, no traces, no producer; dimensions have the spec's names; the opset is the one asked for."""
    data = (portable / "model.onnx").read_bytes()
    assert not re.search(rb"\.py|site-packages|/home|/tmp|torch|s\d\d", data)
    model = onnx.load_from_string(data)
    assert (model.producer_name, model.producer_version) == ("", "")
    assert [entry.version for entry in model.opset_import if entry.domain == ""] == [20]
    shape = model.graph.input[0].type.tensor_type.shape
    assert (model.graph.input[0].name, shape.dim[0].dim_param) == ("pixels", "batch")


def test_an_opset_that_the_exporter_ignores_is_an_error(captured: Capture) -> None:
    """torch.onnx logs and returns 18 when it cannot convert to 13; here that is an error that names both."""
    with pytest.raises(BuildError, match=r"opset 13 was requested.*opset 18"):
        captured.onnx(13)


def test_weights_past_the_limit_go_to_a_file_of_their_own(
    captured: Capture, eager: EagerSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network too large for one protobuf message is written, finished and run all the same."""
    monkeypatch.setattr(file, "INLINE_LIMIT_BYTES", 1000)
    backend = backends.get("onnxruntime")
    lower.get("onnxruntime").lower(captured, target("portable/fp32"), tmp_path / "portable")
    assert (tmp_path / "portable" / "model.onnx.data").stat().st_size >= 4 * 36 * 32 * 4
    backend.finish(tmp_path / "portable", tmp_path / "finished")
    inputs = arrays(2, 3)
    found: Any = backend.load(tmp_path / "finished").run(inputs)
    wanted: Any = eager.run(inputs)
    np.testing.assert_allclose(found["scores"], wanted["scores"], rtol=1e-5, atol=1e-5)


def _of(forward: Callable[[Any, Any], Any]) -> EagerSession:
    def builder() -> Any:
        import torch

        class Net(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> Any:
                return forward(torch, x)

        return Net()

    return EagerSession(builder, ModelSpec("bad", {"x": TensorSpec("float32", ("batch", 6))}))


def branches(torch: Any, x: Any) -> Any:
    return x if x.sum() > 0 else -x


def test_a_branch_on_values_is_refused_with_its_line() -> None:
    """The message names the model and the user's own line, and says what to write instead."""
    with pytest.raises(BuildError, match=r"model bad.*test_capture\.py.*x if x\.sum\(\) > 0.*torch\.where"):
        capture(_of(branches))


def test_a_batch_that_is_not_free_is_refused() -> None:
    """A network that only works for one batch says which."""
    with pytest.raises(BuildError, match=r"model bad.*batch = 2.*tensor\("):
        capture(_of(lambda torch, x: x.reshape(2, 6)))


def test_an_operator_that_onnx_lacks_is_named_with_its_line() -> None:
    """The message has the model, the operator and the user's line."""
    refused = capture(_of(lambda torch, x: torch.special.bessel_j0(x)))
    with pytest.raises(BuildError, match=r"model bad.*bessel_j0.*test_capture\.py"):
        refused.onnx(20)


def test_an_operator_of_a_decomposition_has_the_line_it_came_from() -> None:
    """The exporter names what it decomposed to, which stands in no program of ours; the line is the author's."""
    refused = capture(_of(lambda torch, x: torch.special.i0(x)))
    with pytest.raises(BuildError, match=r"prims\.bessel_i0 .*test_capture\.py.*, in forward: ") as caught:
        refused.onnx(20)
    assert caught.value.__cause__ is not None
    assert "\x1b" not in blame.trace(caught.value.__cause__)


def test_outputs_that_are_not_as_declared_are_refused() -> None:
    """outputs= is held against what the network gives."""
    session = _of(lambda torch, x: x)
    session.spec = ModelSpec("bad", session.spec.inputs, {"y": TensorSpec("float32", ("batch", 7))})
    with pytest.raises(BuildError, match=r"'y' is declared as float32\[batch, 7\].*float32\[batch, 6\]"):
        capture(session)
