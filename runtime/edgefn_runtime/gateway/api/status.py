"""FunctionStatus: the state of a function's processes and of its revisions, in one. Reads, never wakes."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from edgefn.api.artifacts import ArtifactReason, ServingArtifact
from edgefn.api.functions import FunctionStatus, PastRevision
from edgefn.api.scalars import ArtifactState
from edgefn.api.specs import DeployedSpec
from edgefn.errors import FunctionNotFound
from edgefn_runtime.artifacts.artifact_status import Chain, links
from edgefn_runtime.artifacts.proof import read as read_proof
from edgefn_runtime.deployment import answers
from edgefn_runtime.gateway.api.ports import AdminBox, RevisionView
from edgefn_runtime.workers.footprint import measure_all


async def function_status(box: AdminBox, name: str) -> FunctionStatus:
    """Return the FunctionStatus of `name`. Raises FunctionNotFound."""
    status = _status(box, name)
    await measure_all(status)
    return status


def _status(box: AdminBox, name: str) -> FunctionStatus:
    revision, deployments = current(box, name), box.deployments
    chain = deployments.chains.of(name)
    return FunctionStatus(
        **msgspec.structs.asdict(box.supervisor.status(name)),
        revision=revision.digest,
        number=revision.number,
        spec=msgspec.convert(msgspec.to_builtins(revision.config.function), DeployedSpec),
        deployed_at=revision.deployed_at,
        artifacts=list(_artifacts(revision)),
        finishing=chain.finishing if chain else None,
        broken=_reasons(chain, "broken", "unfinished"),
        out_of_bound=_reasons(chain, "out of bound"),
        changed=chain.changed if chain else "",
        asked=[str(permission) for permission in deployments.asked(name)],
        grants=list(deployments.grants(name)),
        callers=box.doors.callers,
        history=[PastRevision(past.number, past.digest, past.deployed_at) for past in deployments.history(name)],
    )


def current(box: AdminBox, name: str) -> RevisionView:
    """Return the revision that `name` routes to. Raises FunctionNotFound."""
    revision = box.deployments.current(name)
    if revision is None:
        raise not_found(name)
    return revision


def not_found(name: str) -> FunctionNotFound:
    """Make the error for a function that is not deployed."""
    return FunctionNotFound(f"no function {name!r} on this box; list its functions with `edgefn list`")


def functions(box: AdminBox) -> list[str]:
    """Return the names of the functions that are deployed and known to the supervisor, sorted."""
    running = set(box.supervisor.names())
    return [name for name in box.deployments.names() if name in running]


def _reasons(chain: Chain | None, *states: ArtifactState) -> list[ArtifactReason]:
    """Return the artifacts that are in one of `states`, each with the reason."""
    return [
        ArtifactReason(f"{link.model} {link.target}", link.reason)
        for link in (links(chain) if chain else ())
        if link.state in states
    ]


def _artifacts(revision: RevisionView) -> Iterator[ServingArtifact]:
    answered, unanswered = answers.read(revision.finished), answers.why_not(revision.config)
    for entry in revision.config.artifacts:
        told = answered[entry.path].told if entry.path in answered else unanswered
        bare = ServingArtifact(entry.model, entry.target, entry.backend, answers=told)
        proof = read_proof(revision.finished, entry)  # None for a while after the cache was deleted
        yield (
            bare
            if proof is None
            else msgspec.structs.replace(
                bare,
                passed=proof.passed,
                verdict=proof.verdict,
                error=proof.error,
                max_error=proof.max_error,
                top1=proof.top1,
            )
        )
