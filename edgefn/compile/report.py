"""The build report: what was built, how near it is to eager PyTorch, and where the time went.

It lies beside the bundle and never in it: seconds differ from build to build, a bundle's digest must not.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import msgspec

from edgefn.accuracy.answers.record import Agreed
from edgefn.accuracy.bound import Bound
from edgefn.accuracy.verdict import SliceVerdict, Word
from edgefn.compile.judging.verify import Latency
from edgefn.spec import SizeRange, TensorSpec
from edgefn.system.durable import replace_file

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
    share          of the "operations" and of the "weights" in eight bits
    verdict        right, wrong or not shown; None where it was not judged
    error          of its worst slice against eager float32, as a fraction of how far eager's answer moves between the
                   `samples` that judge it; `error_limit` is what it must keep. `slices` are the worst ones; it was
                   tried at `sizes` that no sample has
    max_error      against eager float32, relative to the largest value; `bound` is what `tolerance=` asks for
    top1           share of the `top1_rows` whose top class agrees; `top_class` says it in words, with its interval and
                   how many agree of those that eager is sure of
    answers        how the handler's answers with it match eager's; None where they were not compared
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
    share: dict[str, float] = {}
    verdict: Word | None = None
    error: float | None = None
    error_limit: float = 0.0
    max_error: float | None = None
    top1: float | None = None
    top1_rows: int = 0
    top_class: str = ""
    samples: int = 0
    sizes: int = 0
    slices: tuple[SliceVerdict, ...] = ()
    bound: Bound | None = None
    answers: Agreed | None = None
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
        """Return the sort key of a report: by model, those in the bundle first, then the fastest first."""
        slowest = self.latency_ratio is None
        return self.model, self.status != "built", math.inf if slowest else self.latency_ratio or 0.0, self.target


class ModelReport(msgspec.Struct, frozen=True):
    """One model: its outputs as the network gives them, its golden samples, and whether those were recorded before.

    `ranges` are the lengths that its free dimensions may have; a word that is not there may have any. `sizes` are pairs
    at other sizes that judge its artifacts; `refused` are sizes that eager does not run at. `classes` are outputs that
    hold class scores, with their axis and how that is known. `notes` say what was changed in the network, and what of
    its result is no output.
    """

    model: str
    outputs: dict[str, TensorSpec]
    golden: int
    golden_cached: bool
    ranges: dict[str, SizeRange] = {}
    sizes: int = 0
    refused: dict[str, str] = {}
    classes: dict[str, str] = {}
    notes: tuple[str, ...] = ()


class Report(msgspec.Struct, frozen=True):
    """One build. `seconds` by step; `size_bytes` of all layers; `warning` is what to know of the function.

    folder  of the function, relative to the layout: two folders may have functions of one name
    unseen  why this machine cannot tell which files native libraries read, so that new ones may go unnoticed; or empty
    """

    function: str
    digest: str
    size_bytes: int
    seconds: dict[str, float]
    models: tuple[ModelReport, ...]
    artifacts: tuple[ArtifactReport, ...]
    toolchain: dict[str, str]
    unseen: str = ""
    warning: str = ""
    folder: str = ""

    @property
    def missing(self) -> tuple[ArtifactReport, ...]:
        """Return the artifacts that should be in the bundle and are not."""
        return tuple(one for one in self.artifacts if one.status in MISSING)


def write(report: Report, output: Path) -> Path:
    """Write `<output>/reports/<function>.json`; return its path."""
    path = output / "reports" / f"{report.function}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = msgspec.json.format(msgspec.json.encode(report), indent=2)
    replace_file(path, [text, b"\n"])
    return path
