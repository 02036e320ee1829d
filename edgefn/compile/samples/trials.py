"""Inputs made of a model's samples: at other sizes of its free dimensions, and mirrored, mixed or dimmed at their own.

A network that was caught at one size may be wrong at every other, and an artifact that was proved on three samples may
be wrong on the fourth. Owns which inputs are made; eager PyTorch answers them, and `edgefn.accuracy` judges by them.
PURE: arrays and specs in, arrays out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgefn.accuracy.judging import FEW
from edgefn.golden import GoldenSample
from edgefn.spec import ModelSpec, SizeRange

Inputs = dict[str, NDArray[Any]]

MAX_SIZES = 12
"""Other sizes that are tried."""

MAX_BYTES = 64 * 2**20
"""Bytes of one input made larger than its sample: what is larger still is tried where a `max` is declared."""

ALWAYS = 3
"""Stress inputs beside enough samples; fewer samples get more."""


def other_sizes(
    spec: ModelSpec, samples: Sequence[GoldenSample], telling: Mapping[str, Sequence[int]] = MappingProxyType({})
) -> list[dict[str, int]]:
    """Return sizes of the free dimensions that no sample has: least, greatest, odd and larger.

    Each changes alone, and all change at once. The `telling` lengths of a word come first, each alone.
    """
    seen = [lengths(spec, sample.inputs) for sample in samples]
    words = list(dict.fromkeys(word for one in seen for word in one))
    if not words:
        return []
    usual = seen[0]
    candidates = {
        word: _candidates(sorted({one[word] for one in seen}), spec.ranges.get(word, SizeRange())) for word in words
    }
    wanted = [
        usual | {word: length}
        for word in words
        for length in telling.get(word, ())
        if length in spec.ranges.get(word, SizeRange())
    ]
    wanted += [  # all at once, so that no two dimensions stay alike
        {word: few[(pick + place) % len(few)] for place, (word, few) in enumerate(candidates.items())}
        for pick in range(max(map(len, candidates.values())))
    ]
    wanted += [usual | {word: length} for word, few in candidates.items() for length in few]
    found: list[dict[str, int]] = []
    for one in wanted:
        if one not in found and one not in seen:
            found.append(one)
    return found[:MAX_SIZES]


def lengths(spec: ModelSpec, inputs: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    """Return the lengths of the free dimensions that `inputs` have, by word."""
    return {
        word: length
        for name, tensor in spec.inputs.items()
        for word, length in zip(tensor.shape, inputs[name].shape, strict=True)
        if isinstance(word, str)
    }


def _candidates(lengths: Sequence[int], allowed: SizeRange) -> list[int]:
    """Return lengths to try, the most telling first, of those that are `allowed`."""
    usual, most = lengths[len(lengths) // 2], lengths[-1]
    step = allowed.multiple_of
    whole = allowed.tightened()
    ends = [whole.min, *([] if whole.max is None else [whole.max])]
    others = [1, 2, 3, usual + step, usual - step, _odd(most * 3 // 2), 2 * most, usual // 2 or 1, usual * 3 // 4 or 1]
    rounded = [max(step, -(-length // step) * step) for length in others]
    fitting = [length for length in [*ends, *rounded] if length in allowed and length not in lengths and length > 0]
    return list(dict.fromkeys(fitting)) or [usual]


def _odd(length: int) -> int:
    return length | 1


def resized(spec: ModelSpec, samples: Sequence[GoldenSample], first: int, sizes: Mapping[str, int]) -> Inputs | None:
    """Return inputs of other `sizes`: crops of the sample number `first`, or it and those after it joined.

    What is longer than a sample goes on with the next one, so that no two rows are alike. None where it takes too much.
    """
    order = [*samples[first:], *samples[:first]]
    made = {}
    for name, tensor in spec.inputs.items():
        arrays = [sample.inputs[name] for sample in order]
        for axis, word in enumerate(tensor.shape):
            if isinstance(word, str):
                arrays = [_stretched(arrays[place:], axis, sizes[word]) for place in range(len(arrays))]
        made[name] = np.ascontiguousarray(arrays[0])
    too_much = sum(array.nbytes for array in made.values()) > MAX_BYTES
    return None if too_much and not _declared(spec, sizes) else made


def _stretched(arrays: Sequence[NDArray[Any]], axis: int, length: int) -> NDArray[Any]:
    """Return the first of `arrays` with `length` along `axis`.

    It is cropped, or followed by those others that fit.
    """
    first = arrays[0]
    if first.shape[axis] >= length:
        return np.take(first, np.arange(length), axis=axis)
    rest = (*first.shape[:axis], *first.shape[axis + 1 :])
    fitting = [one for one in arrays if (*one.shape[:axis], *one.shape[axis + 1 :]) == rest]
    pool = np.concatenate(fitting, axis=axis)
    return np.take(pool, np.arange(length), axis=axis, mode="wrap")


def _declared(spec: ModelSpec, sizes: Mapping[str, int]) -> bool:
    """Tell whether a greatest length is declared for each word."""
    ranges = [spec.ranges.get(word) for word in sizes]
    return all(one is not None and one.max is not None for one in ranges)


def stressed(samples: Sequence[GoldenSample]) -> Iterator[Inputs]:
    """Yield inputs made of samples at their own sizes: more, where there are few samples; all zeros last."""
    wanted = max(ALWAYS, FEW - len(samples))
    made = 0
    for round_ in range(wanted):
        for number, sample in enumerate(samples):
            if made == wanted:
                break
            other = samples[(number + 1 + round_) % len(samples)]
            yield _changed(sample.inputs, other.inputs, made)
            made += 1
    yield {name: np.zeros_like(array) for name, array in samples[0].inputs.items()}


def _changed(inputs: Mapping[str, NDArray[Any]], other: Mapping[str, NDArray[Any]], way: int) -> Inputs:
    """Return `inputs` mirrored, mixed with `other`, dimmed or shifted, by the number of the `way`."""
    return {name: _array(array, other[name], way) for name, array in inputs.items()}


def _array(array: NDArray[Any], other: NDArray[Any], way: int) -> NDArray[Any]:
    if not np.issubdtype(array.dtype, np.floating):
        return np.ascontiguousarray(np.flip(array, -1) if way % 2 and array.ndim > 1 else array)
    match way % 4:
        case 0:
            changed = np.flip(array, -1) if array.ndim else array
        case 1 if array.shape == other.shape:
            changed = (array + (np.flip(other, -1) if other.ndim else other)) / 2
        case 2:
            changed = array * 0.5
        case _:
            changed = np.roll(array, max(1, array.shape[-1] // 3), -1) * 1.25 if array.ndim else array
    # No two are alike, even of one sample that is the same everywhere.
    return np.ascontiguousarray(changed * (1 - 0.03 * (way // 4)), dtype=array.dtype)


def is_zero(inputs: Mapping[str, NDArray[Any]]) -> bool:
    """Tell whether `inputs` hold only zeros: such an input shows no usual answer."""
    return not any(np.any(array) for array in inputs.values())


def within(pairs: Sequence[GoldenSample], most_bytes: int) -> tuple[GoldenSample, ...]:
    """Return the smallest of `pairs` that have `most_bytes` together, in their order."""
    order = sorted(range(len(pairs)), key=lambda number: _bytes(pairs[number]))
    sums = np.cumsum([_bytes(pairs[number]) for number in order])
    kept = sorted(number for number, total in zip(order, sums, strict=True) if total <= most_bytes)
    return tuple(pairs[number] for number in kept)


def _bytes(pair: GoldenSample) -> int:
    return sum(array.nbytes for side in pair for array in side.values())
