"""The state of a function's artifacts on this box, as data. Pure.

One serves, others would take over, are being finished, or will never serve; each has its reason.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from edgefn.accuracy.answers.record import Agreed
from edgefn.accuracy.limits import limits_of
from edgefn.api.artifacts import ArtifactStatus, Finishing
from edgefn.api.scalars import ArtifactState
from edgefn.bundle.config import ArtifactEntry
from edgefn.targets.matcher import TargetRefusal
from edgefn_runtime.artifacts import ranking
from edgefn_runtime.artifacts.proof import Proof
from edgefn_runtime.store.revision import Revision


class Chain(msgspec.Struct, frozen=True):
    """The facts about a revision's artifacts; proofs, reasons and refusals by `ArtifactEntry.path`.

    `unfinished` are those that this box could not finish for a reason of its own, such as a full disk. `answers` are
    the comparisons of the handler's answers with eager PyTorch's, by path; `unanswered` is the reason where none were
    compared.
    """

    revision: Revision
    proofs: dict[str, Proof] = {}
    broken: dict[str, str] = {}
    unfinished: dict[str, str] = {}
    refusals: dict[str, TargetRefusal] = {}
    finishing: Finishing | None = None
    changed: str = ""
    answers: Mapping[str, Agreed] = {}
    unanswered: str = ""


def links(chain: Chain) -> list[ArtifactStatus]:
    """Return every artifact of the bundle, model by model.

    Those that can serve come first, by rank.
    """
    revision = chain.revision
    ranked = ranking.ranking(_here(chain), chain.proofs, chain.broken)
    found = []
    for model in dict.fromkeys(entry.model for entry in revision.artifacts):
        order = [entry.path for entry in ranked.get(model, ())]
        own = [entry for entry in revision.artifacts if entry.model == model]
        own.sort(key=lambda entry: order.index(entry.path) if entry.path in order else len(order))
        found += [_link(chain, entry, order, own) for entry in own]
    return found


def _here(chain: Chain) -> list[ArtifactEntry]:
    return [entry for entry in chain.revision.artifacts if entry.path not in chain.refusals]


def _link(chain: Chain, entry: ArtifactEntry, order: list[str], own: list[ArtifactEntry]) -> ArtifactStatus:
    state, reason = _state(chain, entry)
    found = chain.proofs.get(entry.path)
    bare = ArtifactStatus(
        entry.model, entry.target, entry.backend, state, reason=reason, answers=_answers(chain, entry)
    )
    if state in ("serving", "ready") and entry.path in order:
        bare = msgspec.structs.replace(bare, rank=order.index(entry.path) + 1)
    if found is None:
        return bare
    model = next(model for model in chain.revision.config.models if model.spec.name == entry.model)
    bound = model.bound_of(entry.precision)
    limits = limits_of(entry.precision, model.judging.accuracy)
    timed = found.passed and found.run_s > 0
    return msgspec.structs.replace(
        bare,
        latency_s=ranking.latency_s(entry, chain.proofs, own) if timed else None,
        ratio=round(found.ratio, 4) if timed else None,
        error=found.error,
        error_limit=limits.error,
        max_error=found.max_error,
        max_error_bound=bound.max_error if bound is not None else None,
        top1=found.top1,
        top1_bound=limits.top1 if found.top1 is not None else None,
        finish_s=found.finish_s,
        load_s=found.load_s,
        size_bytes=sum(found.files.values()) if found.passed else None,
    )


def _answers(chain: Chain, entry: ArtifactEntry) -> str:
    found = chain.answers.get(entry.path)
    return chain.unanswered if found is None else found.told


def _state(chain: Chain, entry: ArtifactEntry) -> tuple[ArtifactState, str]:
    found = chain.proofs.get(entry.path)
    if entry.path in chain.broken:
        return "broken", chain.broken[entry.path]
    if entry.path in chain.refusals:
        return "refused", chain.refusals[entry.path].why
    if entry.path in chain.revision.served:
        return "serving", found.reason if found is not None else ""
    if found is None:
        return ("unfinished" if (why := chain.unfinished.get(entry.path, "")) else "finishing"), why
    if found.passed:
        return "ready", found.reason
    return ("out of bound" if found.samples else "broken"), found.reason
