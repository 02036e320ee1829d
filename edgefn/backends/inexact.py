"""Whole numbers that an engine does not compute with exactly: a file counts them, and an answer with any is none.

`edgefn.compile.lower.rewriting.exact` writes that output. Never imports an engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTPUT = "edgefn.inexact"
"""An output that is none of the network's: how many of its whole numbers are too large, by step."""


class Exactness(NamedTuple):
    """How large the whole numbers are that an engine takes, and from where on a step's are counted.

    `why` goes on after "and", for people.
    """

    given: int
    made: int
    why: str


OPENVINO = Exactness(2**23, 2**24, "openvino computes with float32, which is exact up to that")
"""Up to 2**23 a remainder and a sum of two are right. From 2**24 on, 16777217 == 16777216 and remainders are off."""

MNN = Exactness(2**31, 2**31 - 2**20, "MNN computes with 32 bits")
"""Steps are counted by float32, which is some 2**20 off where it sums many."""


def check(outputs: dict[str, NDArray[Any]], engine: Exactness) -> None:
    """Take that output out of `outputs`. Raise ValueError where it counts any."""
    count = outputs.pop(OUTPUT, None)
    if count is not None and count.any():
        raise ValueError(f"the network makes {count.sum()} whole numbers from {engine.made} on, and {engine.why}")
