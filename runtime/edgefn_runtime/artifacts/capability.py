"""Which artifacts, and which targets, this box can run, and why not the others.

Reads the installed libraries from metadata; never imports an engine, and never looks at a golden sample.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from edgefn import backends
from edgefn.bundle.config import ArtifactEntry
from edgefn.targets import profiles
from edgefn.targets.facts import this_machine as facts
from edgefn.targets.matcher import TargetRefusal, refusal
from edgefn.targets.probe import Probe
from edgefn_runtime.artifacts import ranking


def available(artifacts: Iterable[ArtifactEntry]) -> tuple[ArtifactEntry, ...]:
    """Return the artifacts of `artifacts` that this box can run."""
    artifacts = tuple(artifacts)
    here = facts(*ranking.libraries(artifacts))
    return tuple(entry for entry in artifacts if ranking.refusal(entry, _probe, here) is None)


def refusals(artifacts: Iterable[ArtifactEntry]) -> dict[str, TargetRefusal]:
    """Return the reason for each artifact that this box cannot run, by `ArtifactEntry.path`."""
    artifacts = tuple(artifacts)
    here = facts(*ranking.libraries(artifacts))
    found = {entry.path: ranking.refusal(entry, _probe, here) for entry in artifacts}
    return {path: why for path, why in found.items() if why is not None}


def targets() -> tuple[list[str], list[TargetRefusal]]:
    """Return the targets of edgefn's profiles that this box satisfies, and the refusals of the others."""
    here = facts()
    found = {
        name: refusal(name, profiles.needs_of(one), here, one.backend, _probe)
        for name, one in profiles.targets().items()
    }
    return [name for name, why in found.items() if why is None], [why for why in found.values() if why is not None]


def look_again() -> None:
    """Clear the cached facts about installed libraries, so that the next question reads them again.

    Call it when a library is gone, or may be new.
    """
    _probe.cache_clear()
    backends.look_again()
    facts.cache_clear()


@cache
def _probe(backend: str) -> Probe:
    return backends.get(backend).probe()
