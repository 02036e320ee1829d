"""Advice on making a function faster on this box: rules over figures that were measured here. Pure.

Each piece of advice has an action and the figures that it rests on; none is a promise.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from edgefn.api.artifacts import ArtifactStatus
from edgefn.api.explanations import Advice
from edgefn.spec import Batching, FunctionSpec
from edgefn.targets.matcher import ELSEWHERE, TargetRefusal
from edgefn.text.quantities import format_duration

NEAR_ERROR, NEAR_TOP1 = 2.0, 0.05
"""A near miss: the error is at most this many times its bound, and the agreement at most this far below its bound."""

WORTH_S = 0.002
"""A run that is shorter gains nothing from more threads: they take as long to wake."""


class AdviceInput(msgspec.Struct, frozen=True):
    """The input of the rules. `targets` are those worth building for, `threads` those of an instance's engine."""

    spec: FunctionSpec
    links: Sequence[ArtifactStatus]
    refusals: Sequence[TargetRefusal] = ()
    targets: Collection[str] = ()
    batching: Mapping[str, Batching | None] = {}
    cores: float = 1.0
    threads: int = 1


def advice(facts: AdviceInput) -> list[Advice]:
    """Return all advice for the function, the cheapest first."""
    rules = (_install, _accuracy, _build, _threads, _batch)
    return [found for rule in rules for found in rule(facts)]


def _install(facts: AdviceInput) -> Iterator[Advice]:
    for refusal in (one for one in facts.refusals if one.fix != ELSEWHERE):
        yield Advice("install", f"{refusal.artifact} is in the bundle and needs {refusal.needs}: {refusal.fix}")


def _accuracy(facts: AdviceInput) -> Iterator[Advice]:
    for link in facts.links:
        if link.state == "out of bound" and (missed := _missed_by_little(link)):
            yield Advice(
                "accuracy",
                f"{link.model} {link.target} is not used because of {missed}: allow that "
                "(accuracy=Accuracy(error=...)), or fine-tune the model (quantize=Quantize(epochs=3))",
            )


def _missed_by_little(link: ArtifactStatus) -> str:
    """Return by how much it misses its limits, "" where it is more than a little."""
    told = []
    if link.error is None or link.error_limit is None or link.error > NEAR_ERROR * link.error_limit:
        return ""
    if link.error > link.error_limit:
        told.append(f"an error of {link.error:.2g} where {link.error_limit:.2g} is allowed")
    if link.top1 is not None and link.top1_bound is not None:
        if link.top1 < link.top1_bound - NEAR_TOP1:
            return ""
        if link.top1 < link.top1_bound:
            told.append(f"a top-1 agreement of {link.top1:.3f} where {link.top1_bound:.3f} is required")
    return " and ".join(told)


def _build(facts: AdviceInput) -> Iterator[Advice]:
    for model in dict.fromkeys(link.model for link in facts.links):
        own = {link.target for link in facts.links if link.model == model}
        missing = sorted(target for target in facts.targets if target not in own)
        if missing:
            options = " ".join(f"--target {target}" for target in missing)
            yield Advice("build", f"this box satisfies targets that {model} was not built for: edgefn build {options}")


def _threads(facts: AdviceInput) -> Iterator[Advice]:
    spec, slowest = facts.spec, _slowest(facts)
    if slowest is None or facts.threads > 1 or facts.cores < 2 or slowest < WORTH_S:
        return
    if spec.threads or spec.optimize == "latency":
        return  # one thread is what was asked for, or what this box chose for latency
    yield Advice(
        "threads",
        f"a run takes {format_duration(slowest)} on one thread of {facts.cores:g} cores: if requests come one at a "
        f'time, @edge_function(optimize="latency") lets {spec.name} run on more of them',
    )


def _batch(facts: AdviceInput) -> Iterator[Advice]:
    slowest = _slowest(facts)
    for model, batching in facts.batching.items():
        if batching is None and slowest is not None and facts.spec.optimize == "throughput":
            concurrent = "" if facts.spec.concurrency > 1 else " with @edge_function(concurrency=16)"
            yield Advice(
                "batch",
                f"each call of {model} runs alone: if requests come at the same time, "
                f"@edge_model(batch=8){concurrent} lets the box run them as one batch where it measures a gain",
            )


def _slowest(facts: AdviceInput) -> float | None:
    """Return the longest run of the artifacts that serve, in seconds; None where none is known."""
    return max((link.latency_s for link in facts.links if link.state == "serving" and link.latency_s), default=None)
