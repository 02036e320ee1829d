"""What a model's artifacts are judged by, as data: found at build, kept in the bundle, the same on the box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from edgefn.accuracy.options import Accuracy

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from edgefn.accuracy.measures.special import Masks

Ranges = tuple[tuple[int, int], ...]
"""Indices along an axis, as half-open ranges in ascending order."""


def taken(array: NDArray[Any], along: Sequence[tuple[int, Ranges]]) -> NDArray[Any]:
    """Return the elements of `array` whose indices `along` names."""
    import numpy as np

    for axis, ranges in along:
        array = np.take(array, indices_of(ranges), axis=axis)
    return array


def indices_of(ranges: Ranges) -> NDArray[np.int64]:
    """Return the indices that `ranges` cover."""
    import numpy as np

    return np.concatenate([np.arange(start, stop) for start, stop in ranges] or [np.arange(0)])


class Slice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of an output.

    name      for people: the author's, or the output's with indices, e.g. "output[:, 0:4]"
    along     the indices, as (axis, ranges); () for the whole output
    spread    RMS of how far eager's answer moves between samples
    noise     RMS of eager in float32 against eager in float64, where that was measured
    channels  spread by index of the output's channel axis, in order; () where channels are not judged
    """

    name: str
    along: tuple[tuple[int, Ranges], ...] = ()
    spread: float = 0.0
    noise: float = 0.0
    channels: tuple[float, ...] = ()

    def of(self, array: NDArray[Any]) -> NDArray[Any]:
        """Return the slice's part of `array`."""
        return taken(array, self.along)


class ClassScores(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An output that holds class scores along `axis`; `known_by` says how that is known, for people."""

    axis: int
    known_by: str
    probabilities: bool = False

    def __str__(self) -> str:
        return f"class scores along axis {self.axis}: {self.known_by}"


class OutputRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one output is judged.

    slices        its slices; none where it is not floating point
    channel_axis  the axis whose indices are judged one by one; None where there is none
    low, high     thresholds of masked values, see `special.Masks`
    scores        set where it holds class scores
    unit          all its values are between 0 and 1
    positive      none is below 0
    sums          the axis along which it sums to 1
    norms         the axis along which its rows have the length 1
    fixed         it depends on no input
    """

    slices: tuple[Slice, ...] = ()
    channel_axis: int | None = None
    low: float | None = None
    high: float | None = None
    scores: ClassScores | None = None
    unit: bool = False
    positive: bool = False
    sums: int | None = None
    norms: int | None = None
    fixed: bool = False

    @property
    def masks(self) -> Masks:
        from edgefn.accuracy.measures.special import Masks

        return Masks(self.low, self.high)


class RowOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Outputs whose rows come in the order of falling `scores`, one of them; `outputs` has the axis of their rows."""

    scores: str
    outputs: dict[str, int]

    @property
    def axis(self) -> int:
        """Return the axis of the scores' rows, their last one."""
        return self.outputs[self.scores]


class Judging(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a model's artifacts are judged: by output, with what the author said, and how many answers that rests on.

    `coarse` is the precision that the network itself computes in, where that is less than float32's; `orders` are of
    outputs whose rows are ordered.
    """

    outputs: dict[str, OutputRule] = {}
    accuracy: Accuracy = Accuracy()
    answers: int = 0
    coarse: str = ""
    orders: tuple[RowOrder, ...] = ()


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the captured network says of its outputs.

    joins   outputs that are joined from pieces: the axis and the bounds of the pieces
    scores  outputs that a softmax makes: its axis
    fixed   outputs that depend on no input
    coarse  the precision that the network itself computes in, where that is less than float32's
    sorts   whether it puts anything in order, so that rows of equal scores may come in any
    """

    joins: dict[str, tuple[int, tuple[int, ...]]] = {}
    scores: dict[str, int] = {}
    fixed: tuple[str, ...] = ()
    coarse: str = ""
    sorts: bool = True
