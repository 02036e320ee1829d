"""Ranges of free sizes: `Dim(...)` declares one, `combined` joins what several tensors declare of the same word.

Pure. It knows lengths and ranges, never an array.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass

from edgefn.errors import SpecError
from edgefn.spec import MAX_DIMENSION, SizeRange, TensorSpec


@dataclass(frozen=True)
class Dim:
    """Declare a free dimension of `tensor(...)` by its word, with the lengths that it may have.

        tensor("float32", "batch", Dim("length", max=512), 64)
        tensor("float32", "batch", 3, Dim("height", min=32, multiple_of=32), Dim("width", min=32, multiple_of=32))

    Without limits it is the same as the word alone. With a limit, the least length is 1 unless `min` says another.
    Raises SpecError for limits that leave no length.
    """

    name: str
    _: KW_ONLY
    min: int | None = None
    max: int | None = None
    multiple_of: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise SpecError(f'Dim has the name {self.name!r}: use a word, e.g. Dim("length", max=512)')
        for limit in ("min", "max", "multiple_of"):
            _check_limit(f"Dim({self.name!r}): {limit}", getattr(self, limit), optional=limit != "multiple_of")
        try:
            self.range  # noqa: B018  # made to be checked
        except ValueError as error:
            raise SpecError(f"Dim({self.name!r}): {error}") from None

    @property
    def range(self) -> SizeRange | None:
        """Return the lengths that it may have; None for any."""
        if self.min is None and self.max is None and self.multiple_of == 1:
            return None
        return SizeRange(1 if self.min is None else self.min, self.max, self.multiple_of)


def _check_limit(what: str, limit: object, *, optional: bool) -> None:
    if optional and limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, int) or not 0 <= limit <= MAX_DIMENSION:
        raise SpecError(f"{what} is {limit!r}: use a whole number up to {MAX_DIMENSION}")


def intersection(one: SizeRange, other: SizeRange) -> SizeRange:
    """Return the lengths that are in both. Raise ValueError where there are none."""
    most = [range.max for range in (one, other) if range.max is not None]
    return SizeRange(
        max(one.min, other.min), min(most, default=None), math.lcm(one.multiple_of, other.multiple_of)
    ).tightened()


def combined(tensors: Mapping[str, TensorSpec], where: str) -> dict[str, SizeRange]:
    """Intersect the ranges of each word over all `tensors`.

    Raise SpecError, beginning with `where`, where two leave no length.
    """
    found: dict[str, SizeRange] = {}
    for name, spec in tensors.items():
        for word, declared in spec.ranges.items():
            try:
                found[word] = intersection(found.get(word, declared), declared)
            except ValueError:
                raise SpecError(
                    f"{where}: {name} declares {word} as {declared}, another as {found[word]}, which exclude each "
                    f"other: declare {word} the same everywhere"
                ) from None
    return found


def nearest(allowed: SizeRange, length: int) -> int:
    """Return the length of the range next to `length`, the larger one of two."""
    tight = allowed.tightened()
    length += -length % tight.multiple_of
    return max(tight.min, length if tight.max is None else min(length, tight.max))


def misfit(ranges: Mapping[str, SizeRange], dims: Mapping[str, int]) -> str:
    """Say which of the lengths `dims` is out of its range, for a person; "" where none is."""
    for word, allowed in ranges.items():
        length = dims.get(word)
        if length is not None and length not in allowed:
            return f"{word} is {length}, it must be {allowed}"
    return ""


def told(ranges: Mapping[str, SizeRange]) -> str:
    """Write `ranges` on one line: "batch: 2 or more, length: 1 to 512"."""
    return ", ".join(f"{word}: {allowed}" for word, allowed in ranges.items())


def words(tensors: Iterable[TensorSpec]) -> tuple[str, ...]:
    """Return the words of the free dimensions of `tensors`, each once, in the order of their first use."""
    return tuple(dict.fromkeys(size for one in tensors for size in one.shape if isinstance(size, str)))
