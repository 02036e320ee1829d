"""An artifact of a case on inputs that nothing was made of, held against eager PyTorch: the tests' own arithmetic."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgefn import backends
from edgefn.bundle import archive, references
from edgefn.session import Session
from tests.cases.case import Case

Inputs = Mapping[str, NDArray[Any]]


def session(case: Case, target: str, folder: Path) -> Session:
    """The case's artifact for `target`, unpacked from the bundle and finished as a box does."""
    bundle = case.bundle
    (entry,) = (one for one in bundle.config.artifacts if one.target == target)
    shutil.rmtree(folder, ignore_errors=True)
    for layer in bundle.layers:
        archive.unpack(bundle.blob_path(layer.digest), folder / "unpacked", limit_bytes=layer.size)
    references.resolve(folder / "unpacked")
    backend = backends.get(entry.backend)
    backend.finish(folder / "unpacked" / entry.path, folder / "finished")
    return backend.load(folder / "finished")


def answers(case: Case, artifact: Session, inputs: Iterable[Inputs]) -> tuple[NDArray[Any], NDArray[Any]]:
    """What the artifact gives and what eager gives, [samples, …], of a network with one output."""
    given = [(next(iter(artifact.run(one).values())), case.eager(one)) for one in inputs]
    found, wanted = (np.stack([pair[side] for pair in given]).astype(np.float64) for side in (0, 1))
    return found, wanted


def error(found: NDArray[Any], wanted: NDArray[Any]) -> float:
    """RMS(found - wanted) over how far `wanted` moves between samples: 1.0 is no better than the mean answer."""
    return float(np.sqrt(np.square(found - wanted).mean() / wanted.var(axis=0, ddof=1).mean()))
