"""Other kinds of networks on every target of this machine: each builds and agrees, or is refused with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks import stage
from benchmarks.figure import Figure

MODELS = ("resnet50", "detector", "encoder", "recurrent")


def measure() -> Iterator[Figure]:
    """For each model how many of its artifacts were built, and for each artifact its time over eager's, or why not."""
    for name in MODELS:
        stage.workshop().natively(name)
        artifacts = stage.workshop().report(name)["artifacts"]
        built = [one for one in artifacts if one["status"] == "built"]
        unexplained = [one for one in artifacts if one["status"] != "built" and not one["reason"]]
        yield Figure(f"{name}, artifacts built", len(built), "", f"of {len(artifacts)} targets", 1, "more")
        yield Figure(f"{name}, left out without a reason", len(unexplained), "", "dropped, failed, skipped", 0)
        for one in artifacts:
            yield Figure(f"{name} {one['target']} / eager", one["latency_ratio"] or 0.0, "x", told(one))


def told(artifact: dict[str, Any]) -> str:
    """What the build's report says of an artifact, in a line."""
    if artifact["status"] != "built":
        return f"{artifact['status']}: {artifact['reason']}"
    top1 = "" if artifact["top1"] is None else f", top-1 {artifact['top1']:.3f}"
    return f"max error {artifact['max_error']:.1e}{top1}, {artifact['size_bytes'] / 1e6:.1f} MB"
