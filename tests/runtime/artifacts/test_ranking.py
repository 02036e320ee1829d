"""The artifact that serves is the fastest that passed; each that cannot run has its reason."""

from __future__ import annotations

import msgspec
import pytest

from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import BundleError
from edgefn.targets import profiles
from edgefn.targets.matcher import MachineFacts, TargetRefusal
from edgefn.targets.needs import Needs
from edgefn.targets.probe import Probe
from edgefn_runtime.artifacts import ranking
from edgefn_runtime.artifacts.proof import Proof

PORTABLE = ArtifactEntry("a", "portable/fp32", "onnxruntime")
QUICK = ArtifactEntry("a", "x86-64-v3/int8", "onnxruntime")
OTHER = ArtifactEntry("b", "portable/fp32", "onnxruntime")


def _proof(entry: ArtifactEntry, *, passed: bool, run_s: float) -> Proof:
    return Proof(entry.model, entry.target, entry.backend, passed, run_s=run_s)


def test_fastest_that_passed_serves() -> None:
    """One artifact for each model, by the time measured on this box; one that failed never serves."""
    slow = {PORTABLE.path: _proof(PORTABLE, passed=True, run_s=0.02)}
    assert ranking.serving([PORTABLE, QUICK, OTHER], slow) == (PORTABLE, OTHER)
    quick = slow | {QUICK.path: _proof(QUICK, passed=True, run_s=0.01)}
    assert ranking.serving([PORTABLE, QUICK, OTHER], quick) == (QUICK, OTHER)
    wrong = slow | {QUICK.path: _proof(QUICK, passed=False, run_s=0.01)}
    assert ranking.serving([PORTABLE, QUICK, OTHER], wrong) == (PORTABLE, OTHER)


def test_portable_before_anything_is_proved() -> None:
    """With no proof there is always the portable one."""
    assert ranking.serving([QUICK, PORTABLE], {}) == (PORTABLE,)
    assert ranking.serving([QUICK], {}) == (QUICK,)


def _here(**libraries: str) -> MachineFacts:
    """A machine with AVX2 and without VNNI."""
    v3 = profiles.profiles()["x86-64-v3"].cpu
    return MachineFacts(v3.arch, "a CPU", frozenset(v3.features), libraries or {"onnxruntime": "1.30.0"})


def _refusal(entry: ArtifactEntry, here: MachineFacts | None = None) -> TargetRefusal:
    found = ranking.refusal(entry, lambda name: Probe(True), here or _here())
    assert found is not None
    return found


def test_refusal_names_the_fix() -> None:
    """A backend that is unknown or not installed is told with what it needs, what there is and what would help."""

    def probe(name: str) -> Probe:
        if name != "onnxruntime":
            raise BundleError(f"no backend {name!r}")
        return Probe(False, has="onnxruntime 0.1", fix="pip install onnxruntime")

    assert ranking.refusal(PORTABLE, lambda name: Probe(True), _here()) is None
    known = ranking.refusal(PORTABLE, probe, _here())
    assert known == TargetRefusal(
        "a portable/fp32", "the backend 'onnxruntime'", "onnxruntime 0.1", "pip install onnxruntime"
    )
    unknown = ranking.refusal(msgspec.structs.replace(PORTABLE, backend="rknn", needs=Needs()), probe, _here())
    assert "no backend 'rknn'" in str(unknown)


@pytest.mark.parametrize(
    ("target", "backend", "needs", "has"),
    [
        ("cortex-a72/int8", "onnxruntime", "a CPU of aarch64", "x86_64"),
        ("x86-64-v4/int8", "onnxruntime", "the CPU features avx512_vnni, avx512bw,", "a CPU without them (a CPU)"),
        ("x86-64-v3/fp32", "openvino", "openvino>=2025", "no openvino"),
        ("x86-64-v3/fp32@torchscript", "torchscript", "torch>=2.13, <2.15", "torch 2.8.0"),
    ],
)
def test_an_artifact_for_another_box(target: str, backend: str, needs: str, has: str) -> None:
    """Another CPU, a CPU without a feature, a library that is not there or of another version: each says which."""
    here = _here(onnxruntime="1.30.0", torch="2.8.0")
    found = _refusal(ArtifactEntry("a", target, backend), here)
    assert found.needs.startswith(needs)
    assert found.has == has
    assert found.artifact == f"a {target}"
    assert found.fix


def test_a_target_unknown_to_this_box() -> None:
    """A bundle that says no needs, for a profile that this edgefn does not have."""
    found = _refusal(ArtifactEntry("a", "rk3588/int8", "onnxruntime"))
    assert (found.needs, found.has) == ("the target rk3588/int8", "no profile of that name")
    assert "update edgefn" in found.fix


def test_what_a_bundle_needs_goes_before_a_profile() -> None:
    """A project's own target runs on a box that has no file of it; needs written at the build are those that count."""
    own = ArtifactEntry("a", "our-board/int8", "onnxruntime", needs=Needs("x86_64", ("avx2",), library="onnxruntime"))
    assert ranking.refusal(own, lambda name: Probe(True), _here()) is None
    strict = msgspec.structs.replace(PORTABLE, needs=Needs(library="onnxruntime", versions="==1.22.*"))
    assert _refusal(strict).has == "onnxruntime 1.30.0"
    assert ranking.libraries([own, PORTABLE, strict]) == ("onnxruntime",)
