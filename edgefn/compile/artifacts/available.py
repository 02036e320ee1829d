"""Which of the wanted targets can be built here, by what is installed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgefn import backends
from edgefn.compile import lower
from edgefn.compile.artifacts.wanted import Wanted
from edgefn.compile.report import ArtifactReport
from edgefn.errors import BuildError, BundleError
from edgefn.model import EdgeModel
from edgefn.targets.profiles import Target


@dataclass(frozen=True)
class Skipped:
    """A target of a group that cannot be built here, and what to do about it."""

    target: Target
    reason: str

    def report(self, model: EdgeModel) -> ArtifactReport:
        """Return the report entry of this skipped target for `model`."""
        return ArtifactReport(
            model=model.spec.name,
            target=str(self.target),
            backend=self.target.backend,
            status="skipped",
            bound=model.bound_of(self.target.precision),
            reason=self.reason,
        )


def available(wanted: Sequence[Wanted]) -> tuple[tuple[Target, ...], tuple[Skipped, ...]]:
    """Split the wanted targets: those that can be built here, and the members of groups that cannot.

    Raise BuildError for a target that was named and cannot be built here; the error names the package to install.
    """
    targets: list[Target] = []
    skipped: list[Skipped] = []
    for one in wanted:
        if not (reason := lacking(one.target)):
            targets.append(one.target)
        elif one.named:
            raise BuildError(reason)
        else:
            skipped.append(Skipped(one.target, reason))
    return tuple(targets), tuple(skipped)


def lacking(target: Target) -> str:
    """Return what the target's engine lacks here, with the command that installs it; empty when it works.

    Both halves are needed: the lowering makes the artifact, and the backend runs it for the proof.
    """
    for kind, registry in (("backend", backends), ("lowering", lower)):
        try:
            probe = registry.get(target.backend).probe()
        except BundleError as error:
            return f"the target {target} needs the {kind} {target.backend}: {error}"
        if not probe.available:
            return f"the target {target} needs the {kind} {target.backend}, which cannot work here: {probe.fix}"
    return ""
