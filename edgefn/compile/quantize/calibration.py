"""The calibration inputs in two parts: what ranges and weights are taken from, and what the result is judged on.

Pure and deterministic. Golden samples are in neither: they are the gate's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from edgefn.errors import BuildError

if TYPE_CHECKING:
    from edgefn.golden import GoldenSample

EVERY = 4
"""Each fourth input is for validation: spread over the whole, because neighbours in a list often come of one source."""


class Parts(NamedTuple):
    """Disjoint parts of the calibration inputs; with fewer than `EVERY` there is one part, which is used for both."""

    calibration: tuple[GoldenSample, ...]
    validation: tuple[GoldenSample, ...]


def split(samples: Sequence[GoldenSample], model: str, target: str) -> Parts:
    """The two parts. Raises BuildError when there are no samples, saying what to write."""
    if not samples:
        raise BuildError(
            f"model {model} has no calibration inputs, and {target} takes the ranges of activations from them: write "
            '@edge_model(calibration="calibration/*.jpg") with some 100 inputs like those it will meet, none of '
            "them among its samples=, or a callable that yields dicts of arrays"
        )
    if len(samples) < EVERY:
        return Parts(tuple(samples), tuple(samples))
    validation = tuple(samples[EVERY - 1 :: EVERY])
    calibration = tuple(sample for place, sample in enumerate(samples) if place % EVERY != EVERY - 1)
    return Parts(calibration, validation)
