"""Which artifacts this box can run, and which one of a model serves. Pure: values in, values out.

Portable ONNX is in every bundle, so there is always a last one in the chain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from edgefn.backends.backend import Probe
from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import BundleError
from edgefn_runtime.deployment.proof import Proof


class Refusal(msgspec.Struct, frozen=True):
    """Why an artifact is not for this box: what it needs, what the box has instead, and what would help."""

    artifact: str
    needs: str
    has: str
    fix: str

    def __str__(self) -> str:
        return f"{self.artifact} needs {self.needs}, this box has {self.has}: {self.fix}"


def refusal(entry: ArtifactEntry, probe: Callable[[str], Probe]) -> Refusal | None:
    """Why this box cannot run `entry`, or None when it can; `probe` may raise BundleError for a backend."""
    name = f"{entry.model} {entry.target}"
    try:
        backend = probe(entry.backend)
    except BundleError as error:
        return Refusal(name, f"the backend {entry.backend!r}", "none of that name", str(error))
    if backend.available:
        return None
    return Refusal(name, f"the backend {entry.backend!r}", backend.has or "it not installed", backend.fix)


def serving(artifacts: Iterable[ArtifactEntry], proofs: Mapping[str, Proof]) -> tuple[ArtifactEntry, ...]:
    """One artifact for each model: the fastest that passed; before anything is proved, the portable one.

    `proofs` are by `ArtifactEntry.path`.
    """
    chosen: dict[str, ArtifactEntry] = {}
    for entry in sorted(artifacts, key=lambda entry: _rank(entry, proofs.get(entry.path))):
        chosen.setdefault(entry.model, entry)
    return tuple(chosen.values())


def _rank(entry: ArtifactEntry, proof: Proof | None) -> tuple[bool, float, bool, str]:
    passed = proof is not None and proof.passed
    return (not passed, proof.run_s if proof and passed else 0.0, not portable(entry), entry.path)


def portable(entry: ArtifactEntry) -> bool:
    """Whether `entry` is for any machine."""
    return entry.target.startswith("portable/")
