"""Steps that openvino computes otherwise than an ONNX file says, written otherwise. Runs on the build machine only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn.backends.openvino import exact, narrow, reductions
from edgefn.backends.rewriting import indices, softplus, steps

if TYPE_CHECKING:
    from pathlib import Path


def mend(path: Path) -> None:
    """Rewrite the file at `path`, float or int8."""
    steps.rewrite(path, exact.rewrite, narrow.rewrite, reductions.rewrite, softplus.rewrite, indices.rewrite)
