"""FunctionStatus: the state of a function's processes and of its revisions, in one. Reads, never wakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from edgefn.errors import FunctionNotFound
from edgefn_runtime.artifacts.artifact_status import links
from edgefn_runtime.artifacts.proof import read as read_proof
from edgefn_runtime.deployment import answers
from edgefn_runtime.gateway.api.ports import AdminBox, RevisionView
from edgefn_runtime.workers.footprint import with_footprints

_NO_PROCESSES: dict[str, Any] = {
    "reason": "",
    "retry_after_s": None,
    "instances": [],
    "template": None,
    "queued": 0,
    "requests": 0,
    "errors": 0,
    "cold_starts": 0,
    "phases": {},
    "ledger": {"template_bytes": 0, "instance_bytes": 0, "measured": False, "held_bytes": 0},
    "output": {"dropped_lines": 0, "dropped_bytes": 0},
    "cores": None,
    "batching": [],
    "missing_isolation": {},
}
"""What the supervisor leaves out for a function that could not be restored at the box's start."""


async def function_status(box: AdminBox, name: str) -> dict[str, Any]:
    """Return the FunctionStatus of `name`. Raises FunctionNotFound."""
    return await with_footprints(_status(box, name))


def _status(box: AdminBox, name: str) -> dict[str, Any]:
    revision = current(box, name)
    known = {"revision": revision.digest, "spec": msgspec.to_builtins(revision.config.function)}
    return {**_NO_PROCESSES, **known, **box.supervisor.status(name)} | {
        "number": revision.number,
        "deployed_at": revision.deployed_at,
        "artifacts": list(_artifacts(revision)),
        **_chain(box, name),
        "asked": [str(permission) for permission in box.deployments.asked(name)],
        "grants": [grant._asdict() for grant in box.deployments.grants(name)],
        "callers": box.doors.callers,
        "history": [
            {"number": past.number, "revision": past.digest, "deployed_at": past.deployed_at}
            for past in box.deployments.history(name)
        ],
    }


def current(box: AdminBox, name: str) -> RevisionView:
    """Return the revision that `name` routes to. Raises FunctionNotFound."""
    revision = box.deployments.current(name)
    if revision is None:
        raise FunctionNotFound(f"no function {name!r} on this box; `edgefn list` shows what there is")
    return revision


def functions(box: AdminBox) -> list[str]:
    """Return the names of the functions that are deployed and known to the supervisor, sorted."""
    running = set(box.supervisor.names())
    return [name for name in box.deployments.names() if name in running]


def _chain(box: AdminBox, name: str) -> dict[str, Any]:
    """Return the status of the artifacts: those being finished, broken or out of bound.

    And the change of the box, where it has changed since the last start.
    """
    chain = box.deployments.chains.of(name)
    if chain is None:
        return {"finishing": None, "broken": [], "out_of_bound": [], "changed": ""}
    found = [(link.state, {"artifact": f"{link.model} {link.target}", "reason": link.reason}) for link in links(chain)]
    return {
        "finishing": chain.finishing and msgspec.to_builtins(chain.finishing),
        "broken": [told for state, told in found if state in ("broken", "unfinished")],
        "out_of_bound": [told for state, told in found if state == "out of bound"],
        "changed": chain.changed,
    }


def _artifacts(revision: RevisionView) -> Iterator[dict[str, Any]]:
    answered, unanswered = answers.read(revision.finished), answers.why_not(revision.config)
    for entry in revision.config.artifacts:
        proof = read_proof(revision.finished, entry)  # None for a while after the cache was deleted
        yield {
            "model": entry.model,
            "target": entry.target,
            "backend": entry.backend,
            "passed": proof and proof.passed,
            "verdict": proof and proof.verdict,
            "error": proof and proof.error,
            "max_error": proof and proof.max_error,
            "top1": proof and proof.top1,
            "answers": answered[entry.path].told if entry.path in answered else unanswered,
        }
