"""What the finisher makes of artifacts and their proofs; its process is tested with deployment/finishing."""

from __future__ import annotations

import errno
from pathlib import Path

import msgspec
import pytest

from edgefn import backends
from edgefn.bundle.config import Bound, BundleConfig, ModelEntry
from edgefn.errors import BundleError, DeploymentRefused, DiskFull
from edgefn_runtime.deployment.order import Order
from edgefn_runtime.deployment.proof import Proof
from edgefn_runtime.process import finisher
from tests.runtime.deployment import bundles

SPECIAL = tuple(
    msgspec.structs.replace(bundles.PORTABLE, target=target) for target in ("x86-64-v3/fp32", "x86-64-v3/int8")
)
PASSED = Proof("linear", "portable/fp32", "onnxruntime", True, 1e-7, 1.0, 2)


class Said:
    """Remembers what was said to the box."""

    def __init__(self) -> None:
        self.lines: list[dict[str, object]] = []

    def __call__(self, event: str, **members: object) -> None:
        self.lines.append({"event": event, **members})


def test_finish_all(tmp_path: Path) -> None:
    """Each artifact that can run here has a finished form that loads and a proof; what cannot run is left out."""
    other = msgspec.structs.replace(bundles.PORTABLE, target="rk3588/int8", backend="rknn")
    bundle = bundles.with_model(tmp_path, artifacts=(bundles.PORTABLE, other))
    folder = bundles.unpacked(bundle, tmp_path / "bundle")
    said = Said()
    finisher.finish_all(_order(folder, tmp_path / "finished"), said)
    assert [line["event"] for line in said.lines] == ["finish", "prove"]
    place = tmp_path / "finished" / bundles.PORTABLE.path
    assert msgspec.json.decode((place / "proof.json").read_bytes(), type=Proof).passed
    assert backends.get("onnxruntime").load(place) is not None
    assert not (tmp_path / "finished" / other.path).exists()


@pytest.mark.parametrize(
    ("bound", "truth", "words"),
    [
        (Bound(max_error=1e-3), 1.01, "max error 9.90e-03 is over its bound 1.00e-03"),
        (Bound(max_error=1e-3), float("nan"), "NaN"),
        (Bound(max_error=10.0, top1=1.0), -1.0, "top-1 agreement 0.000 is under its bound 1.000"),
    ],
)
def test_disagreement_is_told_in_figures(tmp_path: Path, bound: Bound, truth: float, words: str) -> None:
    """An artifact out of its bound is refused, with what it should have been and what it was."""
    bundle = bundles.with_model(tmp_path, truth=truth)
    folder = bundles.unpacked(bundle, tmp_path / "bundle")
    model = msgspec.structs.replace(bundles.LINEAR, bound=bound)
    config = msgspec.structs.replace(bundle.config, models=(model,))
    (folder / "config.json").write_bytes(msgspec.json.encode(config))
    with pytest.raises(DeploymentRefused, match="fails its golden samples") as caught:
        finisher.finish_all(_order(folder, tmp_path / "finished"), Said())
    assert words in str(caught.value)


def test_golden_samples_must_be_all_there(tmp_path: Path) -> None:
    """A model is proved on as many samples as the bundle promises; fewer, or none, prove nothing."""
    folder = bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle")
    more = msgspec.structs.replace(bundles.LINEAR, golden=3)
    found = finisher.finish_one(more, bundles.PORTABLE, _order(folder, tmp_path / "finished"))
    assert not found.passed
    assert "holds 2 golden samples, the bundle says 3" in found.reason


def test_judge() -> None:
    """A model needs an artifact that passed, and a portable one that fails is never excused by another."""
    config = BundleConfig(bundles.function_spec("scale"), (bundles.LINEAR,), (bundles.PORTABLE,))
    failed = msgspec.structs.replace(PASSED, passed=False, reason="too far")
    special = msgspec.structs.replace(PASSED, target="rk3588/int8")
    finisher.judge(config, [PASSED])
    finisher.judge(config, [PASSED, msgspec.structs.replace(special, passed=False)])
    for proofs in ([failed], [failed, special], []):
        with pytest.raises(DeploymentRefused, match="scale fails its golden samples"):
            finisher.judge(config, proofs)
    with pytest.raises(DeploymentRefused, match="no artifact of linear runs here"):
        finisher.judge(config, [])


def test_full_disk_is_not_a_wrong_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that fails because the disk is full gives DiskFull, not a verdict on the artifact."""
    folder = bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle")

    def full(self: object, portable: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(type(backends.get("onnxruntime")), "finish", full)
    with pytest.raises(DiskFull, match="free some"):
        finisher.finish_one(bundles.LINEAR, bundles.PORTABLE, _order(folder, tmp_path / "finished"))


def test_not_an_npz(tmp_path: Path) -> None:
    """Golden samples that do not read are a verdict too."""
    folder = bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle")
    (folder / "golden" / "linear.npz").write_bytes(b"no")
    with pytest.raises(BundleError):
        finisher.prove(backends.get("onnxruntime"), _model(), folder, folder / "golden" / "linear.npz")
    assert not finisher.finish_one(_model(), bundles.PORTABLE, _order(folder, tmp_path / "finished")).passed


def _order(folder: Path, finished: Path) -> Order:
    return Order(folder, finished, finished, tuple(entry.path for entry in (bundles.PORTABLE, *SPECIAL)))


def _model() -> ModelEntry:
    return bundles.LINEAR
