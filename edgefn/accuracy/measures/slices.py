"""Parts of an output that are judged by themselves: a box's corners apart from its scores, kelvin apart from metres.

A slice is a choice of indices along axes. Slices come from the author's functions, from the pieces that the network
joins last, and from channels whose spreads are unlike. PURE: shapes and numbers in, slices out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.accuracy.rules import Ranges, Slice
from edgefn.errors import BuildError

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNLIKE = 8.0
"""Channels whose spreads differ by more are cut apart: three of a quantiser's eight bits."""

EXPLAINED = 0.5
"""Least share of the differences in spread that an axis must explain to be the one of the channels."""

LONGEST_AXIS = 4096
"""Longer axes are positions, not channels."""


def ranges_of(indices: Sequence[int] | NDArray[np.int64]) -> Ranges:
    """Return `indices` as ranges."""
    ordered = np.unique(np.asarray(indices, dtype=np.int64))
    if not ordered.size:
        return ()
    breaks = np.flatnonzero(np.diff(ordered) != 1) + 1
    return tuple((int(part[0]), int(part[-1]) + 1) for part in np.split(ordered, breaks))


def named(output: str, along: Sequence[tuple[int, Ranges]], rank: int) -> str:
    """Return a name for a slice of `output`, as one would write it in NumPy."""
    if not along:
        return output
    words = [":"] * rank
    for axis, ranges in along:
        shown = ",".join(f"{start}:{stop}" if stop - start > 1 else f"{start}" for start, stop in ranges[:4])
        words[axis] = f"{{{shown}{',…' if len(ranges) > 4 else ''}}}" if len(ranges) > 1 else shown
    return f"{output}[{', '.join(words)}]"


def declared(
    model: str, output: str, functions: Mapping[str, Callable[[Any], Any]], shape: Sequence[int], free: Sequence[int]
) -> list[Slice]:
    """Return the slices that the author's functions cut from an output of `shape`, and one for what they leave.

    `free` are the axes whose length differs from call to call. A function is shown where each element lies, and then
    other numbers at the same places. Raise BuildError for one that does not select the same indices along one axis of
    fixed length.
    """
    grid = np.arange(int(np.prod(shape)), dtype=np.int64).reshape(tuple(shape))
    found: list[Slice] = []
    left = np.ones(grid.size, dtype=bool)
    for name, function in functions.items():
        where = f"model {model}: outputs={{{name!r}: …}} of output {output!r}"
        rotated = (grid + 1) % grid.size
        try:
            chosen, again = (np.asarray(function(labels.copy())) for labels in (grid, rotated))
        except Exception as error:  # the author's own code
            raise BuildError(
                f"{where} raises {type(error).__name__}: {error}; its array has shape {tuple(shape)}"
            ) from error
        along = _selection(grid, chosen, free)
        if along is None or not chosen.size or not np.array_equal(again, (chosen + 1) % grid.size):
            raise BuildError(
                f"{where} does not select indices along one axis of fixed length: write e.g. lambda y: y[..., :4]"
            )
        found.append(Slice(name, along))
        left[np.asarray(chosen, dtype=np.int64).ravel()] = False
    if left.any():
        along = _selection(grid, grid.ravel()[left], free)
        found.append(Slice(f"the rest of {output}", along or ()))
    return found


def _selection(
    grid: NDArray[np.int64], chosen: NDArray[Any], free: Sequence[int]
) -> tuple[tuple[int, Ranges], ...] | None:
    """Return the one axis and the indices along it that `chosen` elements of `grid` are; None for another choice."""
    if not np.issubdtype(chosen.dtype, np.integer):
        return None
    elements = np.unique(chosen)
    if elements.size == grid.size:
        return ()
    if not elements.size or elements[0] < 0 or elements[-1] >= grid.size:
        return None
    places = np.unravel_index(elements, grid.shape)
    for axis, length in enumerate(grid.shape):
        indices = np.unique(places[axis])
        if axis not in free and elements.size == indices.size * (grid.size // length):
            return ((axis, ranges_of(indices)),)
    return None


def pieces(output: str, rank: int, axis: int, bounds: Sequence[int]) -> list[Slice]:
    """Return a slice for each piece between `bounds`, e.g. [0, 4, 84], of a join along `axis`."""
    spans = [(start, stop) for start, stop in itertools.pairwise(bounds) if stop > start]
    return [Slice(named(output, along := ((axis, (span,)),), rank), along) for span in spans]


def channel_axis(field: NDArray[np.float64], fixed: Sequence[int]) -> int | None:
    """Return the axis of `fixed` that explains most of the differences in spread, if one explains enough of them.

    `field` is the mean square spread by index, of length 1 along axes that are not fixed.
    """
    live = field > 0
    if live.sum() < 2:
        return None
    logs = np.where(live, np.log(np.where(live, field, 1.0)), np.nan)
    total = float(np.nanvar(logs))
    best, most = None, EXPLAINED
    for axis in fixed:
        if not 2 <= field.shape[axis] <= LONGEST_AXIS or total < 1e-12:
            continue
        others = tuple(other for other in range(field.ndim) if other != axis)
        counts = live.sum(axis=others)
        sums = np.nansum(logs, axis=others)
        means = sums[counts > 0] / counts[counts > 0]
        weights = counts[counts > 0] / counts.sum()
        centre = float((weights * means).sum())
        share = float((weights * (means - centre) ** 2).sum()) / total
        if share > most:
            best, most = axis, share
    return best


def unlike(spreads: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """Return groups of channels whose spreads are within UNLIKE of each other, the largest first; 0 is no spread."""
    order = np.argsort(-spreads, kind="stable")
    order = order[spreads[order] > 0]
    groups: list[list[int]] = []
    top = 0.0
    for channel in order:
        if not groups or spreads[channel] < top / UNLIKE:
            groups.append([])
            top = float(spreads[channel])
        groups[-1].append(int(channel))
    return [np.array(sorted(group), dtype=np.int64) for group in groups]
