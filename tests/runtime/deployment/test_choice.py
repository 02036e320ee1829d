"""The artifact that serves is the fastest that passed; each that cannot run has its reason."""

from __future__ import annotations

import msgspec

from edgefn.backends.backend import Probe
from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import BundleError
from edgefn_runtime.deployment import choice
from edgefn_runtime.deployment.proof import Proof

PORTABLE = ArtifactEntry("a", "portable/fp32", "onnxruntime")
QUICK = ArtifactEntry("a", "x86-64-v3/int8", "onnxruntime")
OTHER = ArtifactEntry("b", "portable/fp32", "onnxruntime")


def _proof(entry: ArtifactEntry, *, passed: bool, run_s: float) -> Proof:
    return Proof(entry.model, entry.target, entry.backend, passed, run_s=run_s)


def test_fastest_that_passed_serves() -> None:
    """One artifact for each model, by the time measured on this box; one that failed never serves."""
    slow = {PORTABLE.path: _proof(PORTABLE, passed=True, run_s=0.02)}
    assert choice.serving([PORTABLE, QUICK, OTHER], slow) == (PORTABLE, OTHER)
    quick = slow | {QUICK.path: _proof(QUICK, passed=True, run_s=0.01)}
    assert choice.serving([PORTABLE, QUICK, OTHER], quick) == (QUICK, OTHER)
    wrong = slow | {QUICK.path: _proof(QUICK, passed=False, run_s=0.01)}
    assert choice.serving([PORTABLE, QUICK, OTHER], wrong) == (PORTABLE, OTHER)


def test_portable_before_anything_is_proved() -> None:
    """With no proof there is always the portable one."""
    assert choice.serving([QUICK, PORTABLE], {}) == (PORTABLE,)
    assert choice.serving([QUICK], {}) == (QUICK,)


def test_refusal_names_the_fix() -> None:
    """A backend that is unknown or not installed is told with what it needs, what there is and what would help."""

    def probe(name: str) -> Probe:
        if name != "onnxruntime":
            raise BundleError(f"no backend is called {name!r}")
        return Probe(False, has="onnxruntime 0.1", fix="pip install onnxruntime")

    assert choice.refusal(PORTABLE, lambda name: Probe(True)) is None
    known = choice.refusal(PORTABLE, probe)
    assert known == choice.Refusal(
        "a portable/fp32", "the backend 'onnxruntime'", "onnxruntime 0.1", "pip install onnxruntime"
    )
    unknown = choice.refusal(msgspec.structs.replace(PORTABLE, backend="rknn"), probe)
    assert "no backend is called 'rknn'" in str(unknown)
