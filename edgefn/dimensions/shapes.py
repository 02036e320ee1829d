"""The shapes that a model's outputs must have, call by call: computed once as a function of the inputs' lengths.

Of an artifact that gives another shape nothing is right, whatever its gates said. Never imports NumPy: it runs in each
call of a model on a box, and takes well under a microsecond where no dimension is free.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from edgefn.dimensions.expressions import Shapes, shapes_of
from edgefn.dimensions.sizes import words
from edgefn.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Outputs = Mapping[str, NDArray[np.generic]]


class OutputShapes:
    """What `spec` says of the outputs' shapes."""

    def __init__(self, spec: ModelSpec) -> None:
        free = words(spec.inputs.values())
        self._names = tuple(spec.outputs)
        self._compute = shapes_of(tuple(spec.outputs.values()), free)
        is_static = not any(isinstance(size, str) for one in spec.outputs.values() for size in one.shape)
        self._static = self._compute(dict.fromkeys(free, 1)) if is_static else None

    def misfit(self, outputs: Outputs, lengths: Mapping[str, int]) -> str:
        """Say which output has another shape than it must for these lengths of the inputs; "" where none has."""
        expected = self._static or self._expected(lengths)
        for name, wanted in zip(self._names, expected, strict=False):
            found = outputs.get(name)
            if found is None:
                return f"output {name!r} is missing"
            if found.shape != wanted and not fits(found.shape, wanted):
                told = ", ".join("any" if size is None else str(size) for size in wanted)
                return f"output {name!r} has the shape {list(found.shape)} but must have [{told}]{_of(lengths)}"
        return ""

    def _expected(self, lengths: Mapping[str, int]) -> Shapes:
        try:
            return self._compute(lengths)
        except ZeroDivisionError:  # an expression has no value for a length of 0: nothing is known
            return ()


def fits(found: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    """Tell whether a shape is the wanted one, where that is known."""
    return len(found) == len(wanted) and all(size in (None, has) for has, size in zip(found, wanted, strict=True))


def _of(lengths: Mapping[str, int]) -> str:
    told = ", ".join(f"{word} = {length}" for word, length in lengths.items())
    return f" for {told}" if told else ""
