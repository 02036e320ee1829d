"""Indices beyond what they index: a file counts them in an output of its own, and an answer with any is none.

`edgefn.compile.lower.rewriting.indices` writes that output for engines that would answer. Never imports an engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTPUT = "edgefn.out_of_range"
"""An output that is none of the network's: how many indices are out of range, by step."""


def check(outputs: dict[str, NDArray[Any]]) -> None:
    """Take that output out of `outputs`. Raise IndexError, as PyTorch does, where it counts any."""
    count = outputs.pop(OUTPUT, None)
    if count is not None and count.any():
        raise IndexError(
            f"{count.sum()} of the network's indices are out of range: a token that no embedding has, or a place "
            "beyond a tensor's end; check what goes into the model"
        )
