"""MNN: float32 artifacts are right at every size and after a fork, what it cannot do is told, and nobody else is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
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
from edgefn.targets.profiles import Target, target
from edgefn.testing.reference import ROWS, SPEC, captured, inputs, network

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

TARGET = target("cortex-a72/fp32@mnn")
BACKEND: Any = backends.get("mnn")
LOWERING: Any = lower.get("mnn")

RECORDER = """
#include <stdio.h>
#include <stdlib.h>
static int tell(const char *what) {
    FILE *file = fopen(getenv("CONTACTS"), "a");
    if (file) { fprintf(file, "%s\\n", what); fclose(file); }
    return -1;
}
extern "C" int connect(int, const void *, unsigned) { return tell("connect"); }
extern "C" int getaddrinfo(const char *, const char *, const void *, void *) { return tell("getaddrinfo"); }
"""
"""Calls of the C library that whoever contacts anybody makes, in C or in Python, told in a file and not carried out."""


@pytest.fixture(scope="module")
def caught() -> tuple[EagerSession, Capture]:
    return captured(network, SPEC, {"classes": 5, "batch": 1})


@pytest.fixture(scope="module")
def portable(caught: tuple[EagerSession, Capture], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mnn") / "portable"
    assert set(LOWERING.lower(caught[1], TARGET, folder).toolchain) == {"MNN"}
    return folder


@pytest.mark.parametrize("kind", ["lstm", "gru", "encoder"])
@pytest.mark.filterwarnings("ignore:The tensor attributes self.network.recurrent._flat_weights")
def test_recurrent_and_attending_networks_agree_at_every_size(kind: str, tmp_path: Path) -> None:
    """Two layers both ways; an encoder of tokens by their numbers, with its length free."""

    def builder() -> Any:
        from torch import Tensor, nn

        class Recurrent(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                make = nn.LSTM if kind == "lstm" else nn.GRU
                self.recurrent = make(8, 8, 2, batch_first=True, bidirectional=True)

            def forward(self, x: Tensor) -> Tensor:
                found: Tensor = self.recurrent(x)[0]
                return found

        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        encoder = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
        return nn.Sequential(nn.Embedding(50, 16), encoder) if kind == "encoder" else Recurrent()

    tokens, steps = TensorSpec("int64", ("batch", "length")), TensorSpec("float32", ("batch", 6, 8))
    spec = ModelSpec("reader", {"x": tokens if kind == "encoder" else steps})
    eager, caught = captured(builder, spec, {"batch": 1, "length": 6})
    LOWERING.lower(caught, TARGET, tmp_path)
    session = BACKEND.load(tmp_path)
    random = np.random.default_rng(0)
    for batch, length in ((1, 6), (3, 6), (2, 11)):
        x: Any = random.integers(0, 50, (batch, length))
        if kind != "encoder":
            x = random.standard_normal((batch, 6, 8)).astype(np.float32)
        wanted: Any = eager.run({"x": x})["output"]
        np.testing.assert_allclose(session.run({"x": x})["output"], wanted, rtol=1e-4, atol=1e-5, strict=True)


def test_booleans_and_integers_come_out_as_they_are(tmp_path: Path) -> None:
    """bool and int32 of a network are such of the artifact, in and out; an int64 beyond 32 bits is refused."""

    def builder() -> Any:
        from torch import Tensor, nn, where

        class Masked(nn.Module):
            def forward(self, x: Tensor, mask: Tensor, number: Tensor) -> dict[str, Tensor]:
                return {"kept": where(mask, x, -x), "over": x > 0, "double": number * 2}

        return Masked()

    kinds = {"x": "float32", "mask": "bool", "number": "int64"}
    spec = ModelSpec("masked", {name: TensorSpec(kind, ("batch", 4)) for name, kind in kinds.items()})
    eager, caught = captured(builder, spec, {"batch": 1})
    LOWERING.lower(caught, TARGET, tmp_path)
    session = BACKEND.load(tmp_path)
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    inputs = {"x": x, "mask": x > 0.5, "number": (x * 100).astype(np.int64)}
    wanted: Any = eager.run(inputs)
    for name, one in session.run(inputs).items():
        np.testing.assert_array_equal(one, wanted[name], strict=True)
    with pytest.raises(ValueError, match="input 'number' holds integers beyond 32 bits"):
        session.run(inputs | {"number": np.full((3, 4), 2**40)})


def test_inputs_that_it_computes_nothing_for_are_an_error(portable: Path) -> None:
    """MNN gives no outputs then and no exception; the session goes on."""
    session = BACKEND.load(portable)
    with pytest.raises(RuntimeError, match=r"computes nothing for pixels \[2, 3, 8, 8\], bias \[5\]"):
        session.run({"pixels": np.ones((2, 3, 8, 8), np.float32), "bias": np.ones(5, np.float32)})
    assert session.run(inputs(2))["scores"].shape == (2, 5)


def test_an_operator_that_mnn_lacks_is_refused(tmp_path: Path) -> None:
    """The converter says that all went well; the error names the model, the target, the operator and what to do."""

    def builder() -> Any:
        from torch import Tensor, nn

        class Gaps(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x.isnan()

        return Gaps()

    wanted = r"cortex-a72/fp32@mnn of model rows: MNN .* does not convert it: .*IsNaN.*leave this target out"
    with pytest.raises(BuildError, match=wanted):
        LOWERING.lower(captured(builder, ROWS, {"batch": 1})[1], TARGET, tmp_path)


def test_another_network_than_the_program_is_refused(tmp_path: Path) -> None:
    """What MNN makes something else of is found by a trial, at sizes that are not the samples'."""

    def builder() -> Any:
        from torch import Tensor, nn

        class Larger(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return nn.functional.interpolate(x.reshape(-1, 1, 2, 4), scale_factor=2, mode="bicubic")

        return Larger()

    with pytest.raises(
        BuildError, match=r"model rows: MNN .* makes another network of it.*x \[3, 8\].*leave this target"
    ):
        LOWERING.lower(captured(builder, ROWS, {"batch": 1})[1], TARGET, tmp_path)


def test_a_dtype_or_precision_that_it_lacks_is_refused(caught: tuple[EagerSession, Capture], tmp_path: Path) -> None:
    """Before anything is converted: it takes uint8 and ends with a segmentation fault."""

    def builder() -> Any:
        from torch import Tensor, nn

        class Scaled(nn.Module):
            def forward(self, x: Tensor) -> Tensor:
                return x.float() / 255

        return Scaled()

    spec = ModelSpec("rows", {"x": TensorSpec("uint8", ("batch", 8))})
    with pytest.raises(BuildError, match=r"cortex-a72/fp32@mnn of model rows: its input 'x' is uint8.*float32"):
        LOWERING.lower(captured(builder, spec, {"batch": 1})[1], TARGET, tmp_path)
    with pytest.raises(BuildError, match=r"no int8.*cortex-a72/int8@mnn"):
        LOWERING.lower(caught[1], Target("cortex-a72", "int8", "mnn", False), tmp_path)


@pytest.mark.long
def test_nothing_is_printed_and_nobody_is_told(
    caught: tuple[EagerSession, Capture], tool: Callable[[str], str], tmp_path: Path
) -> None:
    """Converting, loading and running connect to nobody, look no name up and call no pip; loading prints nothing."""
    shim = tmp_path / "recorder.so"
    (tmp_path / "recorder.cpp").write_text(RECORDER)
    subprocess.run([tool("g++"), "-shared", "-fPIC", "-o", shim, tmp_path / "recorder.cpp"], check=True, timeout=60)
    contacts, commands = tmp_path / "contacts", tmp_path / "bin"
    commands.mkdir()
    for name in ("pip", "mnnconvert", "mnnquant"):
        (commands / name).write_text(f'#!/bin/sh\necho {name} >> "$CONTACTS"\n')
        (commands / name).chmod(0o755)
    folder = tmp_path / "portable"
    LOWERING.lower(caught[1], TARGET, folder)
    environment = os.environ | {
        "LD_PRELOAD": str(shim),
        "CONTACTS": str(contacts),
        "PATH": f"{commands}:{os.environ['PATH']}",
        "PYTHONPATH": os.getcwd(),
    }

    def run(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        return subprocess.run(command, check=True, timeout=60, env=environment, capture_output=True, text=True).stdout

    convert = "from edgefn.compile.lower.mnn import conversion; conversion.main(sys.argv[1:])"
    load = "from edgefn.backends.mnn import session; session.load(Path(sys.argv[2]))"
    told = "print(sorted(name for name in sys.modules if name.startswith(('MNN.tools', 'aliyun'))))"
    for what in (convert, load):
        said = run("-c", f"import sys; from pathlib import Path; {what}; {told}", str(caught[1].onnx(20)), str(folder))
        assert said.splitlines()[-1] == "[]"
    assert said == "[]\n"
    assert not contacts.exists(), contacts.read_text()
    run("-c", "import socket; socket.socket().connect_ex(('127.0.0.1', 1))")
    assert contacts.read_text() == "connect\n"  # the recorder sees what there is


def test_a_damaged_artifact_is_a_bundle_error(portable: Path, tmp_path: Path) -> None:
    """What does not load is named, and what is missing too."""
    with pytest.raises(BundleError, match="holds no artifact of MNN"):
        BACKEND.load(tmp_path)
    with pytest.raises(BundleError, match=r"has no model\.mnn"):
        BACKEND.finish(tmp_path, tmp_path / "finished")
    BACKEND.finish(portable, tmp_path / "finished")
    (tmp_path / "finished" / "model.mnn").unlink()  # a link to the portable one
    (tmp_path / "finished" / "model.mnn").write_bytes(b"not a model")
    with pytest.raises(BundleError, match=r"MNN .* does not load model\.mnn"):
        BACKEND.load(tmp_path / "finished")


def test_the_record_is_what_the_file_does_not_say(portable: Path) -> None:
    """Names in the model's order, with the dtypes of the network."""
    assert json.loads((portable / "record.json").read_bytes()) == {
        "inputs": {"pixels": "float32", "bias": "float32"},
        "outputs": {"scores": "float32", "best": "int64"},
    }


def test_asking_for_the_backend_imports_no_engine() -> None:
    """get() and probe() read metadata only; where MNN is missing, probe() says what to install."""
    code = """
import sys
from importlib import metadata
from edgefn import backends
backend = backends.get("mnn")
found = backend.probe()
assert found.available and found.version, found
def missing(name):
    raise metadata.PackageNotFoundError(name)
metadata.version = missing
assert not backend.probe().available and "edgefn[mnn]" in backend.probe().fix, backend.probe()
sys.exit(bool({"MNN", "numpy", "torch"} & set(sys.modules)))
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
