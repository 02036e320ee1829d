"""Steps that openvino computes otherwise than an ONNX file says, written otherwise. Runs on the build machine only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn.backends import inexact
from edgefn.compile.lower.openvino import doubles, narrow, reductions, spectra
from edgefn.compile.lower.rewriting import exact, indices, not_numbers, softplus, steps

if TYPE_CHECKING:
    from collections.abc import Set
    from pathlib import Path


def mend(path: Path) -> None:
    """Rewrite the file at `path`, float or int8."""
    counted = exact.rewriter(inexact.OPENVINO)
    steps.rewrite(
        path,
        counted,
        narrow.rewrite,
        reductions.rewrite,
        softplus.rewrite,
        indices.rewrite,
        spectra.rewrite,
        doubles.rewrite,
    )


def keep_numbers(path: Path, losing: Set[str]) -> None:
    """Rewrite the file at `path` so that no NaN is lost, by operators that are known for it or are in `losing`."""
    known = not_numbers.OPENVINO
    steps.rewrite(path, not_numbers.rewriter(known._replace(operators=known.operators | losing)))
