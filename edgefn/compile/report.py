"""The build report: what was built, how near it is to eager PyTorch, and where the time went.

It lies beside the bundle and never in it: seconds differ from build to build, a bundle's digest must not.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import msgspec

from edgefn.bundle.config import Bound
from edgefn.bundle.durable import replace_file
from edgefn.compile.verify import Latency
from edgefn.spec import TensorSpec

Status = Literal["built", "dropped", "failed", "timed out", "killed", "skipped"]
"""What became of an artifact: `dropped` by a gate, `skipped` because its backend is not installed and nobody asked for
this very target; the compiler of the others `failed`, ran into its limit, or was ended by a signal."""

MISSING: frozenset[Status] = frozenset({"dropped", "failed", "timed out", "killed"})
"""Those that make a build a partial one."""


class ArtifactReport(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact that was wanted. Figures that nobody could take are None or 0.

    size_bytes     of its files
    opset          of its ONNX file, read back; 0 where it is none
    quantized      int8 operators by type; `kept` are the layers that were left in float
    max_error      against eager float32, relative, on `samples` golden samples; `top1` the agreement; `bound` is held
    latency_ratio  its time over eager PyTorch's, one thread each, on the build machine
    seconds        its compiler ran for, and `peak_bytes` that it held at most; as it was made, when `cached`
    reason         why it is not in the bundle, and what to do; `log` is its compiler's
    warning        what to know about it although it is
    """

    model: str
    target: str
    backend: str
    status: Status = "built"
    size_bytes: int = 0
    opset: int = 0
    quantized: dict[str, int] = {}
    kept: tuple[str, ...] = ()
    max_error: float | None = None
    top1: float | None = None
    samples: int = 0
    bound: Bound
    latency_ratio: float | None = None
    latency: Latency | None = None
    toolchain: dict[str, str] = {}
    seconds: float = 0.0
    peak_bytes: int = 0
    cached: bool = False
    reason: str = ""
    warning: str = ""
    log: str = ""

    @property
    def order(self) -> tuple[str, bool, float, str]:
        """Sorts a report: by model, those in the bundle first, the fastest of them first."""
        slowest = self.latency_ratio is None
        return self.model, self.status != "built", math.inf if slowest else self.latency_ratio or 0.0, self.target


class ModelReport(msgspec.Struct, frozen=True):
    """One model: its outputs as the network gives them, its golden samples, and whether those were recorded before.

    `notes` say what was changed in the network, and what of its result is no output.
    """

    model: str
    outputs: dict[str, TensorSpec]
    golden: int
    golden_cached: bool
    notes: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """One build. `seconds` by step; `size_bytes` of all layers."""

    function: str
    digest: str
    size_bytes: int
    seconds: dict[str, float]
    models: tuple[ModelReport, ...]
    artifacts: tuple[ArtifactReport, ...]
    toolchain: dict[str, str]

    @property
    def missing(self) -> tuple[ArtifactReport, ...]:
        """The artifacts that should be in the bundle and are not."""
        return tuple(one for one in self.artifacts if one.status in MISSING)


def write(report: Report, output: Path) -> Path:
    """Writes `<output>/reports/<function>.json` and returns its path."""
    path = output / "reports" / f"{report.function}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(report), indent=2)
    replace_file(path, [text, b"\n"])
    return path
