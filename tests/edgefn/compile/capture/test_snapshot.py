"""A captured network as files: what compilers read is what was captured."""

from __future__ import annotations

import importlib
import math
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch

from edgefn.accuracy.bound import Bound
from edgefn.backends import get
from edgefn.compile.cache.cache import Cache
from edgefn.compile.capture import snapshot
from edgefn.compile.capture.capture import Capture, capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.compile.capture.snapshot import Snapshot
from edgefn.compile.jobs.job import Job, write_job
from edgefn.errors import BuildError
from edgefn.quantization import Quantize
from edgefn.spec import ModelSpec, TensorSpec
from edgefn.targets.profiles import target

pytestmark = pytest.mark.needs_torch

SPEC = ModelSpec("net", {"x": TensorSpec("float32", ("batch", 3, "width"))}, {})


class Net(torch.nn.Module):
    """Two symbolic dimensions, two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv1d(3, 4, 1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        found = self.layer(x)
        return {"wide": found, "mean": found.mean(dim=2)}


@pytest.fixture(scope="module")
def captured() -> Capture:
    return capture(EagerSession(Net, SPEC), {"batch": 1, "width": 9})


@pytest.fixture
def job(captured: Capture, tmp_path: Path) -> Job:
    """A job whose capture is in a cache below the test's folder."""
    return _job(tmp_path, Cache(tmp_path).make("capture", "key", lambda into: snapshot.write(captured, into)))


def _job(cache: Path, folder: Path) -> Job:
    return Job(
        model="net",
        target=target("portable/fp32"),
        cache=str(cache),
        capture=str(folder),
        golden="",
        judges=(0,),
        sizes={"batch": 1, "width": 9},
        bound=Bound(),
        quantize=Quantize(keep=("layer",)),
        files="",
    )


def test_what_is_read_is_what_was_captured(captured: Capture, job: Job) -> None:
    """The spec with its outputs, the options, and a program that gives the same numbers."""
    read = Snapshot(job)
    assert read.model == captured.model
    assert (read.sizes, read.quantize.keep, read.calibration) == ({"batch": 1, "width": 9}, ("layer",), ())
    assert snapshot.info(Path(job.capture)).weights_bytes == 4 * (4 * 3 + 4)
    x = np.random.default_rng(0).random((2, 3, 11), np.float32)
    eager = captured.program.module()(torch.from_numpy(x))
    outputs = read.eager().run({"x": x})
    assert list(outputs) == ["wide", "mean"]
    for name, tensor in zip(outputs, eager, strict=True):
        np.testing.assert_array_equal(outputs[name], tensor.detach().numpy())


def test_onnx_is_the_same_to_the_byte(captured: Capture, job: Job) -> None:
    """From the program that was read as from the one that was captured; symbolic dimensions keep their names."""
    assert Snapshot(job).onnx(20).read_bytes() == captured.onnx(20).read_bytes()


def test_onnx_is_exported_once_for_all_compilers(job: Job) -> None:
    """The second one is given the first one's file and reads no program."""
    first = Snapshot(job).onnx(20)
    inode = first.stat().st_ino
    second = Snapshot(job)
    assert second.onnx(20) == first
    assert first.stat().st_ino == inode
    assert "program" not in vars(second)


def test_what_compilers_share_is_made_once_for_each_calibration(job: Job, tmp_path: Path) -> None:
    """By name; other calibration inputs make it anew."""
    (tmp_path / "one").mkdir()
    calibrated = msgspec.structs.replace(job, calibration=str(tmp_path / "one" / "calibration.npz"))
    asked: list[str] = []

    def found(name: str) -> str:
        def fill(into: Path) -> None:
            asked.append(name)
            (into / "made").write_text(f"{name} {len(asked)}")

        return (Snapshot(calibrated).shared(name, fill) / "made").read_text()

    Path(calibrated.calibration).write_bytes(b"some")
    assert [found("fit"), found("fit"), found("other")] == ["fit 1", "fit 1", "other 2"]
    Path(calibrated.calibration).write_bytes(b"others")
    assert found("fit") == "fit 3"


def test_a_new_capture_takes_nothing_of_an_older_one(job: Job, tmp_path: Path) -> None:
    """Also when its key is the same: a forced build takes nothing from the cache."""
    calibration = tmp_path / "calibration.npz"
    calibration.write_bytes(b"some")
    read = Snapshot(msgspec.structs.replace(job, calibration=str(calibration)))
    paths = [read.onnx(20), read.shared("fit", lambda into: (into / "made").touch())]
    snapshot.forget(Cache(Path(job.cache)), "other")
    assert all(path.exists() for path in paths)
    snapshot.forget(Cache(Path(job.cache)), "key")
    assert not any(path.exists() for path in paths)


def test_an_operator_that_onnx_lacks_is_named_with_its_line(tmp_path: Path) -> None:
    """The user's source is told by the compiler too, whose program is read from a file."""

    class Odd(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            values: torch.Tensor = torch.linalg.eigvalsh(x)
            return values

    spec = ModelSpec("odd", {"x": TensorSpec("float32", (3, 3))}, {})
    odd = capture(EagerSession(Odd, spec))
    folder = Cache(tmp_path).make("capture", "odd", lambda into: snapshot.write(odd, into))
    with pytest.raises(BuildError, match=r"aten._linalg_eigh .*test_snapshot.py.*torch.linalg.eigvalsh\(x\)"):
        Snapshot(_job(tmp_path, folder)).onnx(20)


class Shares(torch.nn.Module):
    """Takes shares of a free length, rounded down and up."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        width = x.shape[2]
        return x[:, :, : math.floor(width * 0.7)].sum(2) - x[:, :, math.ceil(width / 1.1) :].sum(2)


def test_a_program_that_rounds_lengths_is_kept(tmp_path: Path) -> None:
    """torch.export's own files know no math.floor; what is read answers as eager does, at a length that tells."""
    eager = EagerSession(Shares, SPEC)
    caught = capture(eager, {"batch": 1, "width": 9})
    assert dict(caught.telling)["width"][0] == 90
    folder = Cache(tmp_path).make("capture", "key", lambda into: snapshot.write(caught, into))
    assert snapshot.info(folder).telling["width"][0] == 90
    read = Snapshot(_job(tmp_path, folder))
    inputs = {"x": np.random.default_rng(0).standard_normal((2, 3, 90)).astype(np.float32)}
    wanted = eager.run(inputs)["output"]
    artifact = get("onnxruntime").load(read.onnx(20).parent)
    for session in (read.eager(), artifact):
        np.testing.assert_allclose(session.run(inputs)["output"], wanted, rtol=1e-4, atol=1e-4)  # type: ignore[arg-type]


LIBRARY = """
import torch

library = torch.library.Library("edgefn_test_library", "DEF")
library.define("twice(Tensor x) -> Tensor")
library.impl("twice", lambda x: x * 2, "CompositeExplicitAutograd")
library.impl("twice", lambda x: torch.empty_like(x), "Meta")
"""

READER = """
import sys
from pathlib import Path
import numpy as np
from edgefn.compile.jobs.job import read_job
from edgefn.compile.capture.snapshot import Snapshot

x = np.arange(6, dtype=np.float32).reshape(2, 3)
for folder in map(Path, sys.argv[1:]):
    snapshot = Snapshot(read_job(folder))
    print(snapshot.eager().run({"x": x})["output"].tolist())
"""


def test_a_compiler_knows_the_operators_of_other_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process has not run the builder: it imports the module of a library, and needs none for what has a body."""
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "edgefn_test_library.py").write_text(LIBRARY)
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    importlib.import_module("edgefn_test_library")
    spec = ModelSpec("net", {"x": TensorSpec("float32", ("batch", 3))}, {"output": TensorSpec("float32", ("batch", 3))})
    rows = {"x": {0: torch.export.Dim.DYNAMIC}}

    class Theirs(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor]:
            return (torch.ops.edgefn_test_library.twice(x),)

    def half(x: torch.Tensor) -> torch.Tensor:
        return x / 2

    half.__annotations__ = {"x": torch.Tensor, "return": torch.Tensor}
    own = torch.library.custom_op("edgefn_test_snapshot::half", half, mutates_args=())
    own.register_fake(torch.empty_like)

    class Own(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            halved: torch.Tensor = own(x)
            return halved

    kept = Capture(spec, torch.export.export(Theirs(), (torch.ones(2, 3),), dynamic_shapes=rows), {})
    captures = {"theirs": kept, "own": capture(EagerSession(Own, spec), {"batch": 2})}
    for name, captured in captures.items():
        (tmp_path / name).mkdir()
        cached = Cache(tmp_path / "cache").make("capture", name, partial(snapshot.write, captured))
        write_job(_job(tmp_path / "cache", cached), tmp_path / name)
        assert snapshot.info(cached).libraries == (("edgefn_test_library",) if name == "theirs" else ())
    done = subprocess.run(
        [sys.executable, "-c", READER, *(str(tmp_path / name) for name in captures)],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    doubled, halved = [[0.0, 2.0, 4.0], [6.0, 8.0, 10.0]], [[0.0, 0.5, 1.0], [1.5, 2.0, 2.5]]
    assert done.stdout.splitlines() == [str(doubled), str(halved)]
