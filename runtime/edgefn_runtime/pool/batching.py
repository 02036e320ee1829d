"""A revision's batching as its instances have measured it, by model, for `edgefn status`. Reads, never asks."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from edgefn.bundle.config import ModelEntry
from edgefn_runtime.wire.messages import Batched


class Measuring(Protocol):
    """An instance, which has measured."""

    batching: dict[str, Batched]


def figures(models: Iterable[ModelEntry], instances: Sequence[Measuring]) -> list[dict[str, Any]]:
    """Return the limits of each model with `batch`, and the means of what its instances have measured.

    `on` is None while no instance has measured, else whether one batches.
    """
    return [
        {
            "model": entry.spec.name,
            "most_rows": entry.batching.rows,
            "wait_s": entry.batching.wait_s,
            **_means([found for one in instances if (found := one.batching.get(entry.spec.name)) is not None]),
        }
        for entry in models
        if entry.batching is not None
    ]


def _means(found: Sequence[Batched]) -> dict[str, Any]:
    if not found:
        return {"on": None, "mean_rows": None, "gain": None, "instances": 0}
    return {
        "on": any(one.on for one in found),
        "mean_rows": round(statistics.fmean(one.rows for one in found), 2),
        "gain": round(statistics.fmean(one.gain for one in found), 2),
        "instances": len(found),
    }
