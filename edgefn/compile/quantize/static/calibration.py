"""The calibration inputs in two parts: what ranges and weights are taken from, and what the result is judged on.

Pure and deterministic. Ranges and weights are taken from no golden sample: those are of the gate. Some judge here,
too, where the part for that is too small to tell a bias from chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from edgefn.errors import BuildError

if TYPE_CHECKING:
    from edgefn.golden import GoldenSample

EVERY = 4
"""Each fourth input is for validation: spread over the whole, because neighbours in a list often come of one source."""

ENOUGH = 12
"""With fewer samples, what is off by chance looks like a bias."""


class Parts(NamedTuple):
    """Disjoint parts of the calibration inputs; with fewer than `EVERY` there is one part, which is used for both."""

    calibration: tuple[GoldenSample, ...]
    validation: tuple[GoldenSample, ...]


def split(samples: Sequence[GoldenSample], model: str, target: str) -> Parts:
    """Split the samples into a part to calibrate on and a part to validate on.

    Raises BuildError, with what to write, if there are no samples.
    """
    if not samples:
        raise BuildError(
            f"model {model} has no calibration inputs, which {target} needs for the ranges of activations: write "
            '@edge_model(calibration="calibration/*.jpg") with some 100 realistic inputs, none of '
            "them among its samples=, or a callable that yields dicts of arrays"
        )
    if len(samples) < EVERY:
        return Parts(tuple(samples), tuple(samples))
    validation = tuple(samples[EVERY - 1 :: EVERY])
    calibration = tuple(sample for place, sample in enumerate(samples) if place % EVERY != EVERY - 1)
    return Parts(calibration, validation)


def enough(validation: Sequence[GoldenSample], judges: Sequence[GoldenSample]) -> tuple[GoldenSample, ...]:
    """Return the samples that forms are judged on while one is sought: `judges` fill them up to `ENOUGH`."""
    return (*validation, *judges[: max(0, ENOUGH - len(validation))])
