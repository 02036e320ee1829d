"""Lengths that a network is exported with: one for each free dimension, unlike each other and unlike what is fixed.

With two lengths alike a program can take one for the other, and a length of 1 is taken for a constant, without a word.
Pure but for the weights' shapes. Never exports anything.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from edgefn.dimensions.sizes import nearest, words
from edgefn.spec import ModelSpec, SizeRange

if TYPE_CHECKING:
    import torch

Grow = Callable[[int, SizeRange], Sequence[int]]
"""(a sample's length, the declared ones): lengths to try, in order."""

SMALLEST = 2
"""A length of 1 broadcasts, and 0 is no length: networks and tracers treat both as special cases."""

MAX_ELEMENTS = 2**27
"""Of one example input; torch.export makes it for real."""

_PRIMES = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43)


def free_words(spec: ModelSpec) -> tuple[str, ...]:
    """Return the words of the inputs' free dimensions."""
    return words(spec.inputs.values())


def examples(spec: ModelSpec, sizes: Mapping[str, int], fixed: Iterable[int]) -> Iterator[dict[str, int]]:
    """Yield lengths to export with, the best first, the samples' own last; each set once.

    `sizes` are those of a real sample. `fixed` are the network's own, the shapes of its weights. What the first sets
    change is what the network may not take: it may need a multiple, or have a table of so many rows.
    """
    seen: list[dict[str, int]] = []
    for grow in (_times, _plus, _minus, _own):
        for taken in (set(fixed), set[int]()):
            lengths = _unlike(spec, sizes, taken | _written(spec), grow)
            if lengths is not None and lengths not in seen and _elements(spec, lengths) <= MAX_ELEMENTS:
                seen.append(lengths)
                yield lengths


def moved(spec: ModelSpec, lengths: Mapping[str, int], fixed: Iterable[str]) -> dict[str, int]:
    """Return `lengths` with others for the words `fixed`, where others are declared.

    A network may keep what it computed for the length that it had last, which is a sample's.
    """
    further = {word: spec.ranges.get(word, SizeRange()) for word in fixed}
    return {**lengths, **{word: nearest(allowed, 2 * lengths[word]) for word, allowed in further.items()}}


def weights_sizes(network: torch.nn.Module) -> set[int]:
    """Return each size of each weight and buffer of `network`."""
    tensors = [*network.parameters(), *network.buffers()]
    return {size for tensor in tensors for size in tensor.shape}


def _unlike(spec: ModelSpec, sizes: Mapping[str, int], taken: set[int], grow: Grow) -> dict[str, int] | None:
    lengths: dict[str, int] = {}
    for word in free_words(spec):
        allowed = spec.ranges.get(word, SizeRange())
        candidates = (nearest(allowed, length) for length in grow(sizes.get(word, 1), allowed))
        usable = (one for one in candidates if one >= SMALLEST or (allowed.max is not None and allowed.max < SMALLEST))
        used = set() if grow is _own else taken | set(lengths.values())
        if (length := next((one for one in usable if one not in used), None)) is None:
            return None
        lengths[word] = length
    return lengths


def _written(spec: ModelSpec) -> set[int]:
    return {size for tensor in spec.inputs.values() for size in tensor.shape if isinstance(size, int)}


def _elements(spec: ModelSpec, lengths: Mapping[str, int]) -> int:
    return max(
        math.prod(lengths[size] if isinstance(size, str) else size for size in tensor.shape)
        for tensor in spec.inputs.values()
    )


def _times(size: int, allowed: SizeRange) -> Sequence[int]:
    """Return multiples of the sample's length, or small primes for a length of 1.

    The multiples keep all divisors of the sample's length.
    """
    return _PRIMES if size < SMALLEST else [size * factor for factor in range(1, 9)]


def _plus(size: int, allowed: SizeRange) -> Sequence[int]:
    return [max(size, SMALLEST) + more * allowed.multiple_of for more in range(17)]


def _minus(size: int, allowed: SizeRange) -> Sequence[int]:
    return [max(size, SMALLEST) - less * allowed.multiple_of for less in range(17)]


def _own(size: int, allowed: SizeRange) -> Sequence[int]:
    return [max(size, SMALLEST), *_plus(size, allowed)]
