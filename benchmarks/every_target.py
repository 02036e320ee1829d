"""Other kinds of networks on every target of this machine: each builds and agrees, or is refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import stage
from benchmarks.figure import Figure

FUNCTIONS = ("resnet50", "detector", "rows")


def measure() -> Iterator[Figure]:
    """For each model how many of its artifacts were built, and for each artifact its time over eager's, or why not."""
    for function in FUNCTIONS:
        stage.workshop().natively(function)
        rows = stage.workshop().report(function)["artifacts"]
        for model in dict.fromkeys(row["model"] for row in rows):
            yield from _of(model, [row for row in rows if row["model"] == model])


def _of(model: str, artifacts: list[dict[str, Any]]) -> Iterator[Figure]:
    built = [one for one in artifacts if one["status"] == "built"]
    unexplained = [one for one in artifacts if one["status"] != "built" and not one["reason"]]
    yield Figure(f"{model}, artifacts built", len(built), "", f"of {len(artifacts)} targets", 1, "more")
    yield Figure(f"{model}, left out without a reason", len(unexplained), "", "dropped, failed, skipped", 0)
    for one in artifacts:
        yield Figure(f"{model} {one['target']} / eager", one["latency_ratio"] or 0.0, "x", told(one))


def told(artifact: dict[str, Any]) -> str:
    """What the build's report says of an artifact, in a line."""
    if artifact["status"] != "built":
        return f"{artifact['status']}: {artifact['reason']}"
    top1 = "" if artifact["top1"] is None else f", top-1 {artifact['top1']:.3f}"
    return f"max error {artifact['max_error']:.1e}{top1}, {artifact['size_bytes'] / 1e6:.1f} MB"
