"""What the finisher makes of an artifact and its proof, in this process; the confined one is tested with
deployment/finish."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edgefn import backends, golden
from edgefn.accuracy.bound import Bound
from edgefn.bundle.config import ModelEntry
from edgefn.errors import BundleError, DiskFull
from edgefn_runtime.artifacts.finish.request import request
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.artifacts.proof import MAX_REASON, Proof
from edgefn_runtime.child import finisher
from edgefn_runtime.wire.messages import FinishRequest
from tests.runtime.deployment import bundles


def test_finish(tmp_path: Path) -> None:
    """A finished form that loads, and a proof with the figures."""
    asked = _request(bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle"), tmp_path)
    found = finisher.finish(asked)
    assert (found.passed, found.target, found.samples) == (True, "portable/fp32", 2)
    assert found.run_s > 0
    assert backends.get("onnxruntime").load(Path(asked.folder)) is not None


@pytest.mark.parametrize(
    ("bound", "truth", "words"),
    [
        (Bound(max_error=1e-3), 1.01, "max error 9.90e-03 is over its bound 1.00e-03"),
        (Bound(max_error=1e-3), float("nan"), "NaN"),
        (Bound(max_error=10.0, top1=1.0), -1.0, "top-1 agreement 0.000 is under its bound 1.000"),
    ],
)
def test_disagreement_is_told_in_figures(tmp_path: Path, bound: Bound, truth: float, words: str) -> None:
    """An artifact out of its bound does not pass, with what it should have been and what it was."""
    found = finisher.finish(_changed(tmp_path, truth, bound=bound))
    assert not found.passed
    assert words in found.reason


def test_golden_samples_must_be_all_there(tmp_path: Path) -> None:
    """A model is proved on as many samples as the bundle promises; fewer, or none, prove nothing."""
    found = finisher.finish(_changed(tmp_path, 1.0, golden=3))
    assert not found.passed
    assert "holds 2 golden samples, the bundle says 3" in found.reason


class _Engine:
    """An engine whose answers are the linear model's, but for what `change` makes of a call's rows."""

    def __init__(self, change: Callable[[Any], Any]) -> None:
        self._change = change

    def run(self, inputs: Any) -> dict[str, Any]:
        return {"y": self._change(inputs["x"] @ bundles.WEIGHTS).astype(np.float32)}


class _Stale:
    """Keeps its first answer of each number of rows, and gives it after another number."""

    def __init__(self) -> None:
        self._rows, self._first = 0, dict[int, Any]()

    def __call__(self, y: Any) -> Any:
        rows, self._rows = self._rows, len(y)
        first = self._first.setdefault(len(y), y)
        return y if rows in (0, len(y)) else first


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda y: y, ""),
        (lambda y: y if len(y) == 1 else 2 * y, "at x [2, 3]: y is off by"),
        (lambda y: y if len(y) != 5 else y + 1, "at x [5, 3]: y is off by"),
        (lambda y: np.repeat(y[:1], len(y), 0), "y is off by"),
        (lambda y: y[:2], "is float32(2, 4), eager float32(5, 4)"),
        (_Stale(), "after another size it gives a sample another answer than before"),
    ],
)
def test_an_artifact_is_proved_at_the_sizes_that_travel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any], words: str
) -> None:
    """Right for the samples' one row, and wrong for two or five, or afterwards: refused with the size."""
    samples, sizes = (
        tuple(golden.GoldenSample({"x": x}, {"y": x @ bundles.WEIGHTS}) for x in inputs)
        for inputs in ([_rows(1, 1), _rows(1, 2)], [_rows(2, 3), _rows(5, 4)])
    )
    asked = _request(bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle"), tmp_path)
    golden.write(golden.Pairs(samples, sizes=sizes), tmp_path / "bundle" / "golden" / "linear.npz")
    monkeypatch.setattr(type(backends.get("onnxruntime")), "load", lambda *a, **b: _Engine(change))
    found = finisher.finish(asked)
    assert found.passed == (not words), found.reason
    assert words in found.reason
    assert found.sizes == 2


def _rows(count: int, seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal((count, 3)).astype(np.float32)


def test_full_disk_is_not_a_wrong_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that fails because the disk is full gives DiskFull, not a verdict on the artifact."""
    folder = bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle")

    def full(self: object, portable: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(backends.get("onnxruntime")), "finish", full)
    with pytest.raises(DiskFull, match="free some"):
        finisher.finish(_request(folder, tmp_path))


def test_an_endless_reason_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an engine says goes into one packet to the box."""
    folder = bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle")

    def talk(self: object, portable: Path, target: Path) -> None:
        raise ValueError("x" * 2**20)

    monkeypatch.setattr(type(backends.get("onnxruntime")), "finish", talk)
    assert len(finisher.finish(_request(folder, tmp_path)).reason) == MAX_REASON


def test_not_an_npz(tmp_path: Path) -> None:
    """Golden samples that do not read are a verdict too."""
    folder = bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle")
    (folder / "golden" / "linear.npz").write_bytes(b"no")
    with pytest.raises(BundleError):
        finisher.prove(backends.get("onnxruntime"), bundles.LINEAR, folder, folder / "golden" / "linear.npz")
    assert not finisher.finish(_request(folder, tmp_path)).passed


def test_the_wire_holds_a_proof() -> None:
    """What is told is what is read."""
    found = Proof("linear", "portable/fp32", "onnxruntime", True, 1e-7, 1.0, 2)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Proof) == found


def _changed(tmp_path: Path, truth: float, **members: object) -> FinishRequest:
    bundle = bundles.with_model(tmp_path, truth=truth)
    folder = bundles.unpacked(bundle, tmp_path / "bundle")
    model: ModelEntry = msgspec.structs.replace(bundles.LINEAR, **members)
    config = msgspec.structs.replace(bundle.config, models=(model,))
    (folder / "config.json").write_bytes(msgspec.json.encode(config))
    return _request(folder, tmp_path)


def _request(bundle: Path, tmp_path: Path) -> FinishRequest:
    folder = tmp_path / "finished"
    folder.mkdir(exist_ok=True)
    order = FinishOrder(bundle, folder, folder, (bundles.PORTABLE.path,))
    return request(order, bundles.PORTABLE, bundles.PORTABLE, folder)
