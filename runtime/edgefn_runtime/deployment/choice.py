"""Which artifacts this box can run, and which one of a model serves. Pure: values in, values out.

Portable ONNX is in every bundle, so there is always a last one in the chain.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import SpecError
from edgefn.targets import matcher, profiles
from edgefn.targets.matcher import Facts, Probing
from edgefn.targets.matcher import Refusal as Refusal
from edgefn_runtime.deployment.proof import Proof


def refusal(entry: ArtifactEntry, probe: Probing, here: Facts) -> Refusal | None:
    """Why a box of these facts cannot run `entry`, or None when it can; `probe` may raise BundleError for a backend."""
    name = f"{entry.model} {entry.target}"
    try:
        needs = entry.needs or profiles.needs_of(profiles.target(entry.target))
    except SpecError:
        return Refusal(name, f"the target {entry.target}", "no profile of that name", _UNKNOWN_TARGET)
    return matcher.refusal(name, needs, here, entry.backend, probe)


_UNKNOWN_TARGET = "update edgefn here, or build the bundle again with an edgefn that writes down what its targets need"


def libraries(artifacts: Iterable[ArtifactEntry]) -> tuple[str, ...]:
    """The distributions that `artifacts` say they need, sorted: what the facts of a box must tell of."""
    return tuple(sorted({entry.needs.library for entry in artifacts if entry.needs and entry.needs.library}))


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
