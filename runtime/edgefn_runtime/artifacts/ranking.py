"""Which artifacts this box can run, and which one of a model serves. Pure: values in, values out.

Portable ONNX is in every bundle, so there is always a last one to fall back to.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import SpecError
from edgefn.targets import matcher, profiles
from edgefn.targets.matcher import MachineFacts, Probing
from edgefn.targets.matcher import TargetRefusal as Refusal
from edgefn_runtime.artifacts.proof import Proof


def refusal(entry: ArtifactEntry, probe: Probing, here: MachineFacts) -> Refusal | None:
    """Return why a box of these facts cannot run `entry`, or None when it can.

    `probe` may raise BundleError for a backend.
    """
    name = f"{entry.model} {entry.target}"
    try:
        needs = entry.needs or profiles.needs_of(profiles.target(entry.target))
    except SpecError:
        return Refusal(name, f"the target {entry.target}", "no profile of that name", _UNKNOWN_TARGET)
    return matcher.refusal(name, needs, here, entry.backend, probe)


_UNKNOWN_TARGET = (
    "update edgefn on this box, or build the bundle again with an edgefn that records what its targets need"
)


def libraries(artifacts: Iterable[ArtifactEntry]) -> tuple[str, ...]:
    """Return the distributions that `artifacts` declare as needs, sorted.

    The facts of a box must include them.
    """
    return tuple(sorted({entry.needs.library for entry in artifacts if entry.needs and entry.needs.library}))


GAIN = 0.95
"""An artifact is taken instead of another when it is faster by more than a twentieth: less may be noise, and a move
costs a template."""


def first(artifacts: Iterable[ArtifactEntry]) -> tuple[ArtifactEntry, ...]:
    """Return the artifacts that are finished before a function is live.

    These are a model's portable artifact, or all artifacts of a model that has none.
    """
    entries = tuple(artifacts)
    with_portable = {entry.model for entry in entries if portable(entry)}
    return tuple(entry for entry in entries if portable(entry) or entry.model not in with_portable)


def ranking(
    artifacts: Iterable[ArtifactEntry], proofs: Mapping[str, Proof], broken: Container[str] = ()
) -> dict[str, tuple[ArtifactEntry, ...]]:
    """Rank the artifacts of each model: the one that serves, then those that take over when it breaks.

    The fastest that passed is the first, where it is worth a move from those before it in the bundle. The portable one
    is always among them. `proofs` and `broken` are by `ArtifactEntry.path`.
    """
    models: dict[str, list[ArtifactEntry]] = {}
    for entry in artifacts:
        models.setdefault(entry.model, []).append(entry)
    return {model: _ranked(own, proofs, broken) for model, own in models.items()}


def serving(
    artifacts: Iterable[ArtifactEntry], proofs: Mapping[str, Proof], broken: Container[str] = ()
) -> tuple[ArtifactEntry, ...]:
    """Choose the artifact of each model that serves: the fastest that passed.

    Before anything is proved, that is the portable one.
    """
    return tuple(ranked[0] for ranked in ranking(artifacts, proofs, broken).values())


def latency_s(entry: ArtifactEntry, proofs: Mapping[str, Proof], own: Iterable[ArtifactEntry]) -> float:
    """Return the seconds of a run, comparable among the `own` artifacts of its model.

    Each of them was timed beside the first one.
    """
    proof = proofs[entry.path]
    base = next((proofs[one.path].run_s for one in own if portable(one) and one.path in proofs), 0.0)
    return base * proof.ratio if base and proof.beside_s else proof.run_s


def _ranked(own: list[ArtifactEntry], proofs: Mapping[str, Proof], broken: Container[str]) -> tuple[ArtifactEntry, ...]:
    own = sorted(own, key=lambda entry: not portable(entry))
    fit = [entry for entry in own if (found := proofs.get(entry.path)) is not None and found.passed]
    left = [entry for entry in fit if entry.path not in broken or portable(entry)]
    seconds = {entry.path: latency_s(entry, proofs, own) for entry in left}
    ranked: list[ArtifactEntry] = []
    while left:
        best = left[0]
        for entry in left[1:]:
            if seconds[entry.path] < GAIN * seconds[best.path]:
                best = entry
        ranked.append(best)
        left.remove(best)
    return (*ranked, *(entry for entry in own if portable(entry) and entry not in ranked)) or (own[0],)


def portable(entry: ArtifactEntry) -> bool:
    """Tell whether `entry` is for any machine."""
    return entry.target.startswith("portable/")
