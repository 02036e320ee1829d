"""The lengths of a captured program's free dimensions: what its guards say, mended by what a run shows.

Owns the order of the two. The result is the truth of a program: within its ranges it computes what the network does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from edgefn.compile.capture.probes import ProgramProbe, least
from edgefn.compile.dimensions.guards import LengthCondition, ranges_of
from edgefn.dimensions.sizes import nearest
from edgefn.spec import SizeRange

Ranges = dict[str, SizeRange]

MAX_ROUNDS = 16
"""Of guards that turn out to be more than about memory; each shrinks a range."""


def found(
    guards: Sequence[LengthCondition],
    example: Mapping[str, int],
    declared: Mapping[str, SizeRange],
    probe: ProgramProbe,
) -> Ranges:
    """Return each word's lengths.

    Raises Fixed or Tied (`edgefn.compile.dimensions.guards`) where no ranges express them.
    """
    trusted = [guard for guard in guards if not guard.is_suspect]
    suspects = [guard for guard in guards if guard.is_suspect]
    if not probe.agrees(example):  # then runs show nothing: what the network answers does not depend on inputs alone
        return ranges_of(trusted, example, declared)
    for _ in range(MAX_ROUNDS):
        ranges = ranges_of(trusted, example, declared)
        guilty = next((one for one in suspects if _is_right(one, ranges, example, probe)), None)
        if guilty is None:
            return _from_least(ranges, example, probe)
        suspects.remove(guilty)
        trusted.append(guilty)
    return ranges_of(guards, example, declared)


def broken(
    guards: Sequence[LengthCondition], example: Mapping[str, int], ranges: Mapping[str, SizeRange], probe: ProgramProbe
) -> LengthCondition | None:
    """Return a guard that lengths in the ranges break, with the program wrong there; None without one."""
    return next((guard for guard in guards if _is_right(guard, ranges, example, probe)), None)


def _is_right(
    guard: LengthCondition, ranges: Mapping[str, SizeRange], example: Mapping[str, int], probe: ProgramProbe
) -> bool:
    """Tell whether the guard is needed: the program is wrong for lengths in the ranges that break it."""
    breaking = next((one for one in _places(guard, ranges, example) if not guard.holds(one)), None)
    return breaking is not None and not probe.agrees(breaking)


def _places(
    guard: LengthCondition, ranges: Mapping[str, SizeRange], example: Mapping[str, int]
) -> Iterator[dict[str, int]]:
    """Yield lengths in the ranges at which the guard may break, those near the example first.

    One word changes after the other, then all words change together.
    """
    for word in guard.words:
        for length in _lengths(ranges[word], example[word], guard.numbers):
            yield {**example, word: length}
    lows = {word: _lengths(ranges[word], example[word], guard.numbers)[:4] for word in guard.words}
    for place in range(4):
        yield {**example, **{word: some[min(place, len(some) - 1)] for word, some in lows.items()}}


def _lengths(allowed: SizeRange, around: int, numbers: Sequence[int]) -> list[int]:
    """Return the lengths of a range that are tried, sorted.

    They are the least ones, those around the example, and those that a guard names.
    """
    step = allowed.multiple_of
    near = [allowed.min + more * step for more in range(8)] + [around + more * step for more in range(-4, 17)]
    named = [number + more * step for number in numbers for more in (-1, 0, 1) if number < 4 * around]
    return sorted({nearest(allowed, one) for one in (*near, *named, 2 * around) if one >= 0})


def _from_least(ranges: Ranges, example: Mapping[str, int], probe: ProgramProbe) -> Ranges:
    """Return the ranges, each from the least length at which the program works.

    First word by word, then all words at their least at once. If only all of them at once fail, one word is raised if
    that is enough, the last first, as with guards.
    """
    for word, allowed in ranges.items():
        low = {**example, word: allowed.tightened().min}
        if not probe.agrees(low):
            ranges = _raised(ranges, least(_stepped(probe, ranges), low, example), (word,))
    lows = {word: allowed.tightened().min for word, allowed in ranges.items()}
    if not ranges or probe.agrees(lows):
        return ranges
    for word in reversed(ranges):
        high = {**lows, word: example[word]}
        if probe.agrees(high):
            return _raised(ranges, least(_stepped(probe, ranges), lows, high), (word,))
    return _raised(ranges, least(_stepped(probe, ranges), lows, example), tuple(ranges))


def _stepped(probe: ProgramProbe, ranges: Ranges) -> Callable[[Mapping[str, int]], bool]:
    return lambda lengths: probe.agrees({word: nearest(ranges[word], length) for word, length in lengths.items()})


def _raised(ranges: Ranges, lengths: Mapping[str, int], words: Sequence[str]) -> Ranges:
    return {
        word: msgspec.structs.replace(allowed, min=nearest(allowed, lengths[word])) if word in words else allowed
        for word, allowed in ranges.items()
    }
