"""Why a function is served with its present artifacts, with the figures: the admin API's explanation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from edgefn.spec import FunctionSpec
from edgefn.targets import groups
from edgefn.targets.facts import this_machine
from edgefn_runtime.artifacts import advice, artifact_status, capability
from edgefn_runtime.artifacts.artifact_status import Chain


def explain(found: Chain, cores: float, threads: Callable[[FunctionSpec], int]) -> dict[str, Any]:
    """Explain `found`: the artifacts by rank, the refusals of this box, and advice for more speed."""
    revision = found.revision
    links = artifact_status.links(found)
    refusals = list(found.refusals.values())
    spec = revision.config.function
    advised = advice.AdviceInput(
        spec=spec,
        links=links,
        refusals=refusals,
        targets=buildable() if links else (),
        batching={model.spec.name: model.batching for model in revision.config.models},
        cores=cores,
        threads=threads(spec),
    )
    told: dict[str, Any] = msgspec.to_builtins(
        {
            "function": revision.name,
            "revision": revision.digest,
            "number": revision.number,
            "artifacts": links,
            "refusals": refusals,
            "finishing": found.finishing,
            "changed": found.changed,
            "advice": advice.advice(advised),
        }
    )
    return told


def buildable() -> tuple[str, ...]:
    """Return the targets of the most specific profile that this box satisfies.

    Only targets whose libraries are installed.
    """
    satisfied, _ = capability.targets()
    profile = groups.native(this_machine())
    return tuple(name for name in satisfied if profile and name.startswith(f"{profile}/"))
