"""Compare labels with scores: the same labels, in the same order where their scores are apart.

A labelled value is a dict of exactly one float, its score, and one or more texts, whole numbers or truth values, its
label; or a pair of a text and a float. A ranking is a list of such, no label twice, the highest score first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from edgefn.accuracy.answers.limits import AnswerLimits
from edgefn.accuracy.answers.numbers import allowed, same_number, shown
from edgefn.accuracy.answers.spread import UNKNOWN, Spread, Spreads
from edgefn.accuracy.answers.values import Plain

MOVED = 1 / 3
"""A score's error is at most this share of how far scores move between samples."""

ENOUGH = 20
"""With so many scores seen, the least of them is near the threshold of the handler."""


class Labelled(NamedTuple):
    """A label with its score; `field` is the score's place, e.g. ".score"."""

    label: str
    score: float
    field: str


def labelled(value: Plain) -> Labelled | None:
    """Read `value` as a label with a score; return None where it is none."""
    if isinstance(value, dict):
        return _of_fields({f".{name}": member for name, member in value.items()})
    if isinstance(value, list) and len(value) == 2 and {type(one) for one in value} == {str, float}:
        return _of_fields({"[]" if isinstance(one, str) else f"[{place}]": one for place, one in enumerate(value)})
    return None


def ranking(value: Plain) -> list[Labelled] | None:
    """Return a list's labels with scores, or None where it is no ranking. An empty list is one."""
    if not isinstance(value, list):
        return None
    found = [labelled(one) for one in value]
    each = [one for one in found if one is not None]
    if len(each) < len(found) or len({one.label for one in each}) < len(each):
        return None
    ordered = all(not earlier.score < later.score for earlier, later in pairwise(each))
    return each if ordered and all(math.isfinite(one.score) for one in each) else None


def compare_rankings(
    expected: Sequence[Labelled], actual: Sequence[Labelled], limits: AnswerLimits, spreads: Spreads, path: str
) -> str:
    """Return why the rankings do not match, or ""."""
    field = (*expected, *actual)[0].field if (*expected, *actual) else ""
    spread = spreads.get(f"{path}[]{field}", UNKNOWN)
    drift = score_bound(max((one.score for one in expected), default=0.0), limits, spread)
    bound = min(limits.score, drift) if spread.is_score or not spread.count else drift
    given = {one.label: one.score for one in actual}
    wanted = {one.label: one.score for one in expected}
    missing = [one for one in expected if one.label not in given]
    invented = [one for one in actual if one.label not in wanted]
    if (missing or invented) and not _at_the_cut(expected, actual, missing, invented, bound, spread):
        return _replaced(missing, invented)
    for one in expected:
        if one.label in given and not same_number(one.score, given[one.label], drift):
            return f"score of {one.label} {shown(given[one.label])} instead of {shown(one.score)}"
    return _other_order([one for one in expected if one.label in given], list(given), bound)


def score_bound(expected: float, limits: AnswerLimits, spread: Spread) -> float:
    """Return how far a score may be from `expected`: absolute for those between 0 and 1, else as any number.

    One that hardly moves between samples may not move by more than a share of that.
    """
    number = allowed(expected, limits, spread)
    if not (spread.is_score if spread.count else 0 <= expected <= 1):
        return number
    most = min(limits.drift, MOVED * spread.size) if spread.moves else limits.drift
    return max(most, number if spread.moves else 0.0)


def _of_fields(fields: dict[str, Plain]) -> Labelled | None:
    scores = [name for name, member in fields.items() if isinstance(member, float)]
    labels = [member for member in fields.values() if member is None or isinstance(member, str | int)]
    if len(scores) != 1 or len(labels) != len(fields) - 1 or not labels:
        return None
    said = next((one for one in labels if isinstance(one, str)), labels[0])
    label = repr(said) if len(labels) == 1 else f"{said!r} {[one for one in labels if one is not said] or ''}".strip()
    return Labelled(label, fields[scores[0]], scores[0])


def _at_the_cut(
    expected: Sequence[Labelled],
    actual: Sequence[Labelled],
    missing: Sequence[Labelled],
    invented: Sequence[Labelled],
    bound: float,
    spread: Spread,
) -> bool:
    """Return whether those that only one side has lie so near the end of the list that the bound explains it."""
    if len(expected) == len(actual):  # the best few: the last place was won narrowly
        return (
            len(expected) > 1
            and max(one.score for one in missing) <= actual[-1].score + 2 * bound
            and max(one.score for one in invented) <= expected[-1].score + 2 * bound
        )
    return spread.count >= ENOUGH and all(one.score <= spread.least + bound for one in (*missing, *invented))


def _replaced(missing: Sequence[Labelled], invented: Sequence[Labelled]) -> str:
    given = ", ".join(f"{one.label} ({shown(one.score)})" for one in invented) or "nothing"
    wanted = ", ".join(f"{one.label} ({shown(one.score)})" for one in missing) or "nothing"
    return f"is {given} instead of {wanted}"


def _other_order(expected: Sequence[Labelled], given: Sequence[str], bound: float) -> str:
    places = {label: place for place, label in enumerate(given)}
    for place, first in enumerate(expected):
        for second in expected[place + 1 :]:
            if first.score - second.score > bound and places[first.label] > places[second.label]:
                return f"ranks {second.label} before {first.label}"
    return ""
