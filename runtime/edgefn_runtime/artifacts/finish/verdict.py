"""Whether the proofs of a bundle's artifacts let it be served, and each proof in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from edgefn.bundle.config import BundleConfig, ModelEntry
from edgefn.errors import DeploymentRefused
from edgefn_runtime.artifacts.proof import Proof


def judge(config: BundleConfig, proofs: list[Proof], models: Iterable[ModelEntry] | None = None) -> None:
    """Raise DeploymentRefused unless each of `models`, all by default, can be served with its artifacts.

    A model needs an artifact that passed, and its portable one must not have failed. A failure of a portable artifact
    is a failure of the bundle or of this machine; another artifact that passes is luck.
    """
    for model in config.models if models is None else models:
        own = [found for found in proofs if found.model == model.spec.name]
        broken = [found for found in own if not found.passed]
        if not any(found.passed for found in own) or any(found.target.startswith("portable/") for found in broken):
            raise DeploymentRefused(
                f"{config.function.name} fails its golden samples on this box: "
                f"{'; '.join(map(told, broken)) or f'no artifact of {model.spec.name} runs here'}; build it again and "
                "check that the figures of the build are within the bound"
            )


def told(found: Proof) -> str:
    """Describe the result of an artifact's proof for people."""
    name = f"{found.model} {found.target}"
    if not found.passed:
        return f"{name}: {found.reason}"
    if found.error is None:
        return f"{name}: {found.reason}"
    top1 = "" if found.top1 is None else f", top-1 agreement {found.top1:.3f}"
    sizes = f" and {found.sizes} other sizes" if found.sizes else ""
    return f"{name}: error {found.error or 0.0:.1e}{top1} on {found.samples} golden samples{sizes}"
