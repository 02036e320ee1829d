"""NaN, and extremes of infinities, that an engine would lose: a file counts them, and an answer with any is none.

`edgefn.compile.lower.rewriting.not_numbers` writes that output. Never imports an engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.session import Arrays

OUTPUT = "edgefn.not_numbers"
"""An output that is none of the network's: how many there are where steps lose them, by step."""


def check(outputs: dict[str, NDArray[Any]], engine: str) -> None:
    """Take that output out of `outputs`. Raise ValueError where it counts any."""
    count = outputs.pop(OUTPUT, None)
    if count is not None and count.any():
        raise ValueError(
            f"{count.sum()} NaN or infinities go into steps of which {engine} would make numbers; check what goes into "
            "the model"
        )


def check_inputs(inputs: Arrays, engine: str, *, infinite: bool = False) -> None:
    """Raise ValueError where an input has NaN, or, with `infinite`, an infinity."""
    import numpy as np

    for name, array in inputs.items():
        if array.dtype.kind != "f":
            continue
        if np.isnan(array).any() or (infinite and np.isinf(array).any()):
            what = "NaN or infinities" if infinite else "NaN"
            raise ValueError(f"input {name!r} has {what}, and {engine} would answer with numbers")
