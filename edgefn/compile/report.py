"""The build report: what was built, how near it is to eager PyTorch, and where the time went.

It lies beside the bundle and never in it: seconds differ from build to build, a bundle's digest must not.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgefn.bundle.config import Bound
from edgefn.bundle.durable import replace_file
from edgefn.compile.verify import Latency
from edgefn.spec import TensorSpec


class ArtifactReport(msgspec.Struct, frozen=True):
    """One artifact. `latency_ratio` is its time over eager PyTorch's, one thread each, on the build machine."""

    model: str
    target: str
    backend: str
    size_bytes: int
    opset: int
    max_error: float
    top1: float | None
    bound: Bound
    latency_ratio: float
    latency: Latency
    cached: bool


class ModelReport(msgspec.Struct, frozen=True):
    """One model: its outputs as the network gives them, its golden samples, and whether those were recorded before."""

    model: str
    outputs: dict[str, TensorSpec]
    golden: int
    golden_cached: bool


class Report(msgspec.Struct, frozen=True):
    """One build. `seconds` by step; `size_bytes` of all layers."""

    function: str
    digest: str
    size_bytes: int
    seconds: dict[str, float]
    models: tuple[ModelReport, ...]
    artifacts: tuple[ArtifactReport, ...]
    toolchain: dict[str, str]


def write(report: Report, output: Path) -> Path:
    """Writes `<output>/reports/<function>.json` and returns its path."""
    path = output / "reports" / f"{report.function}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(report), indent=2)
    replace_file(path, [text, b"\n"])
    return path
