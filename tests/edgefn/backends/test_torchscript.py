"""The TorchScript backend: what is traced holds for every batch size, or is refused; nothing else may load it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn import backends
from edgefn.compile import lower
from edgefn.compile.capture.capture import Capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.errors import BuildError, BundleError
from edgefn.spec import ModelSpec, TensorSpec
from edgefn.targets.profiles import Target
from edgefn.testing.reference import ROWS, SPEC, captured, network

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

TARGET = Target("x86-64-v3", "fp32", "torchscript", False)
BACKEND: Any = backends.get("torchscript")
LOWERING: Any = lower.get("torchscript")


@pytest.fixture(scope="module")
def caught() -> tuple[EagerSession, Capture]:
    return captured(network, SPEC, {"classes": 5, "batch": 1})


@pytest.fixture(scope="module")
def portable(caught: tuple[EagerSession, Capture], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("torchscript") / "portable"
    assert set(LOWERING.lower(caught[1], TARGET, folder).toolchain) == {"torch"}
    return folder


def test_a_network_that_returns_its_input_gives_a_copy(tmp_path: Path) -> None:
    """Outputs are never views of inputs: memory is shared with nobody."""

    def builder() -> Any:
        import torch

        return torch.nn.Identity()

    LOWERING.lower(captured(builder, ROWS, {"batch": 1})[1], TARGET, tmp_path)
    x = np.ones((2, 8), np.float32)
    (output,) = BACKEND.load(tmp_path).run({"x": x}).values()
    assert not np.shares_memory(output, x)


def test_a_trace_for_one_batch_size_is_refused(tmp_path: Path) -> None:
    """What a trace would keep as a number is an error that names the model, the target, and what to do."""

    def builder() -> Any:
        import torch

        class Widened(torch.nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return torch.nn.functional.pad(x, (0, x.shape[0]))

        return Widened()

    with pytest.raises(BuildError, match=r"model rows, target x86-64-v3/fp32@torchscript.*sizes.*onnxruntime"):
        LOWERING.lower(captured(builder, ROWS, {"batch": 3})[1], TARGET, tmp_path / "artifact")
    assert not (tmp_path / "artifact").exists()


@pytest.mark.filterwarnings("ignore:The tensor attributes self.network.lstm._flat_weights")
@pytest.mark.parametrize("kind", ["lstm", "attention"])
def test_recurrent_and_attending_networks_trace_for_every_size(kind: str, tmp_path: Path) -> None:
    """Sizes that make states and that are multiplied: the trace follows. (An LSTM's length is none that exports.)"""

    def builder() -> Any:
        import torch

        class Encoder(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.lstm = torch.nn.LSTM(8, 8, batch_first=True)
                self.attention = torch.nn.MultiheadAttention(8, 2, batch_first=True)

            def forward(self, x: torch.Tensor) -> torch.Tensor:
                found: torch.Tensor = self.lstm(x)[0] if kind == "lstm" else self.attention(x, x, x)[0]
                return found

        return Encoder()

    spec = ModelSpec("encoder", {"x": TensorSpec("float32", ("batch", 6 if kind == "lstm" else "length", 8))})
    eager, caught = captured(builder, spec, {"batch": 1, "length": 6})
    LOWERING.lower(caught, TARGET, tmp_path)
    session = BACKEND.load(tmp_path)
    for batch, length in ((1, 6), (3, 6), (3, 6 if kind == "lstm" else 9)):
        x = np.random.default_rng(batch).standard_normal((batch, length, 8)).astype(np.float32)
        wanted: Any = eager.run({"x": x})["output"]
        np.testing.assert_allclose(session.run({"x": x})["output"], wanted, rtol=1e-4, atol=1e-5)


def test_a_precision_that_it_lacks_is_refused(caught: tuple[EagerSession, Capture], tmp_path: Path) -> None:
    """The error names the precision and the target."""
    with pytest.raises(BuildError, match=r"no int8.*x86-64-v3/int8@torchscript"):
        LOWERING.lower(caught[1], Target("x86-64-v3", "int8", "torchscript", False), tmp_path)


def test_an_artifact_of_another_torch_is_refused(portable: Path, tmp_path: Path) -> None:
    """The error names both versions and the command that installs the right one."""
    BACKEND.finish(portable, tmp_path)
    record = json.loads((tmp_path / "record.json").read_bytes())
    (tmp_path / "record.json").unlink()  # a link to the portable one
    (tmp_path / "record.json").write_text(json.dumps(record | {"torch": "2.1.0"}))
    with pytest.raises(BundleError, match=rf"torch 2\.1\.0, and here is torch {record['torch']}.*install torch==2\.1"):
        BACKEND.load(tmp_path)


@pytest.mark.parametrize(("name", "damage"), [("model.pt", b"not a model"), ("record.json", b"{")])
def test_a_damaged_artifact_is_a_bundle_error(portable: Path, tmp_path: Path, name: str, damage: bytes) -> None:
    """What does not load is named, whatever class torch raises."""
    BACKEND.finish(portable, tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).write_bytes(damage)
    with pytest.raises(BundleError, match=name):
        BACKEND.load(tmp_path)


def test_an_incomplete_artifact_is_a_bundle_error(portable: Path, tmp_path: Path) -> None:
    """Finishing names the file that is missing."""
    (tmp_path / "record.json").write_bytes((portable / "record.json").read_bytes())
    with pytest.raises(BundleError, match=r"no model\.pt"):
        BACKEND.finish(tmp_path, tmp_path / "finished")


@pytest.mark.parametrize("name", ["torchscript", "aotinductor"])
def test_asking_for_the_backend_imports_no_engine(name: str) -> None:
    """get() and probe() read metadata only; where torch is missing, probe() says what to install."""
    code = f"""
import sys
from importlib import metadata
from edgefn import backends
backend = backends.get({name!r})
found = backend.probe()
assert found.available and found.version and "+" not in found.version, found
def missing(name):
    raise metadata.PackageNotFoundError(name)
metadata.version = missing
assert not backend.probe().available and "edgefn[torch]" in backend.probe().fix, backend.probe()
sys.exit(bool({{"torch", "numpy"}} & set(sys.modules)))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
