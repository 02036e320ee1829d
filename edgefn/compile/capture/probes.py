"""A captured program at lengths that its guards leave open, or that it was not made with: held against the network.

A guard such as `batch != 1` may tell how memory lies, or that the network goes another way for one row. Only a run
tells. Owns which lengths are tried; what becomes of the answer is `edgefn.compile.dimensions.ranges`'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from edgefn.compile.capture.eager import seeded
from edgefn.dimensions.shapes import fits
from edgefn.spec import ModelSpec

if TYPE_CHECKING:
    import torch

    from edgefn.dimensions.expressions import Shapes

    Outputs = Sequence[torch.Tensor]
    Network = Callable[..., Outputs]

TOLERANCE = 1e-4
"""Relative to the largest element: the same operators on the same machine, in another order at most."""


WHOLE = (0, 1)
"""Whole numbers to fill inputs with, until the network answers: rows of length 0 may have no last step."""


class ProgramProbe:
    """Compares the program's answers with those of `network`, at any lengths; each is tried once."""

    def __init__(
        self,
        network: Network,
        program: torch.export.ExportedProgram,
        spec: ModelSpec,
        shapes: Callable[[Mapping[str, int]], Shapes] | None = None,
    ) -> None:
        self._network = network
        self._program = program
        self._spec = spec
        self._shapes = shapes
        self._known: dict[tuple[int, ...], bool] = {}

    def agrees(self, lengths: Mapping[str, int]) -> bool:
        """Tell whether both answer, and alike, in the `shapes` that the program says it gives."""
        key = tuple(lengths.values())
        if key not in self._known:
            self._known[key] = self._compare(lengths)
        return self._known[key]

    def _compare(self, lengths: Mapping[str, int]) -> bool:
        from edgefn.compile.capture import examples

        for whole in WHOLE:
            inputs = examples.filled(self._spec, lengths, whole)
            try:
                wanted = self._answer(inputs)
            except Exception:  # the network's, its operators', torch's own
                continue
            return self._equals(wanted, inputs, lengths)
        return False  # that length is none that works

    def _answer(self, inputs: Sequence[torch.Tensor]) -> Outputs:
        import torch

        with torch.no_grad(), seeded():
            return self._network(*(one.clone() for one in inputs))

    def _equals(self, wanted: Outputs, inputs: Sequence[torch.Tensor], lengths: Mapping[str, int]) -> bool:
        from edgefn.compile.capture import examples

        try:
            with seeded():
                found = examples.program_answers(self._program, inputs)
        except Exception:  # its operators', torch's own
            return False
        return len(found) == len(wanted) and all(map(_alike, found, wanted)) and self._fits(found, lengths)

    def _fits(self, found: Outputs, lengths: Mapping[str, int]) -> bool:
        """Tell whether the outputs have the shapes that a box's artifact must give for these lengths.

        `squeeze()` gives another rank for a length of 1.
        """
        expected = self._shapes(lengths) if self._shapes is not None else ()
        return all(fits(tuple(one.shape), shape) for one, shape in zip(found, expected, strict=False))


def _alike(found: torch.Tensor, wanted: torch.Tensor) -> bool:
    import torch

    if found.shape != wanted.shape or found.dtype != wanted.dtype:
        return False
    found, wanted = found.double(), wanted.double()  # of int8, -128 has no absolute value
    largest = float(wanted.abs().nan_to_num(posinf=0, neginf=0).max()) if wanted.numel() else 0
    return torch.allclose(found, wanted, rtol=TOLERANCE, atol=TOLERANCE * largest, equal_nan=True)


def least(
    agrees: Callable[[Mapping[str, int]], bool], low: Mapping[str, int], high: Mapping[str, int]
) -> dict[str, int]:
    """Return the smallest lengths on the way from `low` to `high`, which agrees, from which on it does.

    The way is straight: all lengths grow at once, in steps that keep each word's own remainder. Bisected.
    """
    steps = max(high[word] - low[word] for word in low)

    def at(step: int) -> dict[str, int]:
        return {word: low[word] + (high[word] - low[word]) * step // max(steps, 1) for word in low}

    bad, good = -1, steps
    while good - bad > 1:
        between = (bad + good) // 2
        bad, good = (bad, between) if agrees(at(between)) else (between, good)
    return at(good)
