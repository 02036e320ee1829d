"""What a verdict says to a person: which part, what it does, in few words. No metric's name. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.accuracy.measures.figures import SliceFigures
    from edgefn.accuracy.rules import OutputRule


def empty(name: str, count: int) -> str:
    """Say that nothing of an output was seen."""
    return (
        f"{name} is empty for all {count} samples, which proves nothing: give a sample with a non-empty answer, or "
        f'state why that is right with accuracy=Accuracy(unproven={{"{name}": "..."}})'
    )


def still(name: str, count: int) -> str:
    """Say that an output does not move."""
    return (
        f"{name} is the same for all {count} samples, which proves nothing: give samples in which it differs, or "
        f'state why that is right with accuracy=Accuracy(unproven={{"{name}": "..."}})'
    )


def off(name: str, error: float, limit: float, seen: SliceFigures) -> str:
    """Say how far the answers are off, and in which way where one way stands out."""
    how = ""
    if seen.gain is not None and abs(seen.gain) < 0.3:
        how = ", as if it ignored its input"
    elif seen.gain is not None and abs(seen.gain - 1) > 0.8 * error and f"{seen.gain:.2g}" != "1":
        how = f": about {seen.gain:.2g} of what it should be"
    elif seen.error and abs(seen.bias) > 0.8 * seen.error:
        how = ", by the same amount everywhere"
    found, allowed = told_apart(error, limit)
    return f"{name} is off by {found} of its spread between samples, but only {allowed} is allowed{how}"


def off_once(name: str, error: float, sample: int) -> str:
    """Say that one sample is off."""
    return f"{name} is off by {percent(error)} of its spread between samples for sample {sample}, though not for most"


def off_by(name: str, error: float) -> str:
    """Say how far one answer is off."""
    return f"{name} is off by {percent(error)} of its spread"


def off_constant(name: str, error: float, largest: float) -> str:
    """Say that a value that never moves is another one."""
    return f"{name} is the same for all samples, and off by {error:.3g} where the largest value is {largest:.3g}"


def off_channel(name: str, channel: int, error: float, moves: float, rule: OutputRule) -> str:
    """Say that one channel is off."""
    of = f"{percent(error / moves)} of its spread" if moves else f"{error:.3g} though it never moves"
    return f"{name}: index {channel} of axis {rule.channel_axis} is off by {of}"


def biased(name: str, bias: float) -> str:
    """Say that all answers are too large or too small."""
    return f"{name} is too {'large' if bias > 0 else 'small'} by {percent(abs(bias))} of its spread, everywhere"


def scaled(name: str, gain: float) -> str:
    """Say that answers move by another factor."""
    return f"{name} moves by {gain:.3g} of what it should"


def tail(name: str, error: float) -> str:
    """Say that the answers that matter most are off."""
    return f"{name} is off by {percent(error)} where it is furthest from its mean"


def distinct(name: str, values: int) -> str:
    """Say that the answer was rounded away."""
    return f"{name} has only {values} different value{'s' * (values != 1)}, but eager has many"


def levels(name: str, count: float) -> str:
    """Say that a quantiser has too few steps for a slice."""
    return (
        f"{name} gets {count:.1f} of the 255 steps that it shares with larger values of the same tensor: return it as "
        "a separate output"
    )


def masks(name: str, share: float) -> str:
    """Say that other positions are masked."""
    return f"{name} is masked at other positions than in eager ({percent(share)} of them)"


def unequal(name: str, count: int, total: int) -> str:
    """Say how many whole numbers differ."""
    return f"{name} differs from eager in {count} of {total} values"


def lost(name: str, value: object, shared: int, eager: int, own: int) -> str:
    """Say that a value is at other places, however few of all places those are."""
    return (
        f"{name} is {value} at {eager} places in eager and at {own} in the artifact, and {shared} of them are the same"
    )


def silent(name: str, rule: OutputRule) -> str:
    """Say which channels never move, where others do; nothing where there are none."""
    moves = [max(own) for own in zip(*(cut.channels for cut in rule.slices if cut.channels), strict=False)]
    still = [channel for channel, own in enumerate(moves) if not own]
    if not still or len(still) == len(moves) or rule.fixed:
        return ""
    which = ", ".join(map(str, still[:5])) + (", …" if len(still) > 5 else "")
    return (
        f"{name}: index {which} of axis {rule.channel_axis} ({len(still)} of {len(moves)}) is the same in all samples, "
        "so nothing proves it: give samples in which it differs"
    )


def far(name: str, count: int, error: float) -> str:
    """Say that values far from all others are other ones."""
    return f"{name} is off by {percent(error)} of their spread at the {count} values that lie far from all others"


def shapes(inputs: Mapping[str, NDArray[Any]]) -> str:
    """Return the inputs' shapes for people."""
    return ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())


def percent(share: float) -> str:
    """Return a share as people write it: 52 %, 0.03 %."""
    return f"{100 * share:.0f} %" if share >= 0.095 else f"{100 * share:.2g} %"


def told_apart(share: float, other: float) -> tuple[str, str]:
    """Return two shares as people write them, with as many digits as show that they differ."""
    digits = 1
    found = percent(share), percent(other)
    while share != other and found[0] == found[1] and digits < 15:
        digits += 1
        found = f"{100 * share:.{digits}g} %", f"{100 * other:.{digits}g} %"
    return found
