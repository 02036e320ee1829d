"""A revision's batching as its instances have measured it, by model, for `edgefn status`. Reads, never asks."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from edgefn.api.functions import BatchingFigures
from edgefn.bundle.config import ModelEntry
from edgefn_runtime.wire.messages import Batched


class Measuring(Protocol):
    """An instance, which has measured."""

    batching: dict[str, Batched]


def figures(models: Iterable[ModelEntry], instances: Sequence[Measuring]) -> list[BatchingFigures]:
    """Return the limits of each model with `batch`, and the means of what its instances have measured."""
    return [
        _figures(
            BatchingFigures(entry.spec.name, entry.batching.rows, entry.batching.wait_s),
            [found for one in instances if (found := one.batching.get(entry.spec.name)) is not None],
        )
        for entry in models
        if entry.batching is not None
    ]


def _figures(bare: BatchingFigures, found: Sequence[Batched]) -> BatchingFigures:
    if not found:
        return bare
    return msgspec.structs.replace(
        bare,
        on=any(one.on for one in found),
        mean_rows=round(statistics.fmean(one.rows for one in found), 2),
        gain=round(statistics.fmean(one.gain for one in found), 2),
        instances=len(found),
    )
