"""Compare two results of a handler part by part, each by its kind; say in a person's words where they part.

Order of the kinds: the same value; boxes; labels with scores; images and masks; arrays; numbers; objects and lists,
part by part; all else must be equal.
"""

from __future__ import annotations

from edgefn.accuracy.answers import boxes, labels, numbers, pictures
from edgefn.accuracy.answers.limits import AnswerLimits
from edgefn.accuracy.answers.spread import UNKNOWN, Spreads, within
from edgefn.accuracy.answers.values import Picture, Plain, identical, is_array, is_number, kind

_SUM = 0.01
"""Scores of all classes sum up to 1 as nearly as this, rounded or not."""

_SHOWN = 60
"""Characters of a text that a reason shows."""


def match(expected: Plain, actual: Plain, limits: AnswerLimits, spreads: Spreads, path: str = "") -> str:
    """Return why the plain value `actual` does not match eager's `expected`, or ""."""
    if identical(expected, actual):
        return ""
    if boxed := _boxes(expected, actual, path):
        return _compare_boxes(*boxed, limits, spreads, path)
    if ranked := _rankings(expected, actual):
        return _at(path, labels.compare_rankings(*ranked, limits, spreads, path))
    if pictures.is_image(expected) or pictures.is_mask(expected):
        return _at(path, _compare_pictures(expected, actual, limits))
    if is_array(expected) and is_array(actual):
        return _at(path, numbers.compare_arrays(expected, actual, limits, spreads.get(path, UNKNOWN)))
    if is_number(expected) and is_number(actual):
        return _compare_numbers(expected, actual, limits, spreads, path)
    if isinstance(expected, dict) and isinstance(actual, dict):
        return _compare_objects(expected, actual, limits, spreads, path)
    if isinstance(expected, list) and isinstance(actual, list):
        return _compare_lists(expected, actual, limits, spreads, path)
    if type(expected) is not type(actual):
        return _at(path, f"is {kind(actual)} instead of {kind(expected)}")
    return "" if expected == actual else _at(path, f"{_told(actual)} instead of {_told(expected)}")


Boxed = tuple[list[boxes.Detection], list[boxes.Detection]]
Ranked = tuple[list[labels.Labelled], list[labels.Labelled]]


def _boxes(expected: Plain, actual: Plain, path: str) -> Boxed | None:
    """Return both sides as boxes where both can be read so, and one holds any."""
    name = path.rpartition(".")[2].removesuffix("[]")
    if (one := boxes.detection(expected, name)) and (other := boxes.detection(actual, name)):
        return [one], [other]
    wanted, given = boxes.detections(expected, name), boxes.detections(actual, name)
    return (wanted, given) if wanted is not None and given is not None and (wanted or given) else None


def _rankings(expected: Plain, actual: Plain) -> Ranked | None:
    if (one := labels.labelled(expected)) and (other := labels.labelled(actual)) and one.field == other.field:
        return None if one.label == other.label else ([one], [other])
    wanted, given = labels.ranking(expected), labels.ranking(actual)
    return (wanted, given) if wanted is not None and given is not None and (wanted or given) else None


def _compare_boxes(
    expected: list[boxes.Detection], actual: list[boxes.Detection], limits: AnswerLimits, spreads: Spreads, path: str
) -> str:
    reason, partners = boxes.compare_boxes(expected, actual, limits, spreads, path)
    if reason:
        return _at(path, reason)
    rests = (match(dict(one.rest), dict(other.rest), limits, spreads, path) for one, other in partners)
    return next(filter(None, rests), "")


def _compare_pictures(expected: Plain, actual: Plain, limits: AnswerLimits) -> str:
    if pictures.is_mask(expected) and is_array(actual) and actual.dtype.kind in "biu":
        return pictures.compare_masks(expected, actual, limits)
    alike = isinstance(actual, Picture) or (is_array(actual) and actual.dtype.name == "uint8")
    return pictures.compare_images(expected, actual, limits) if alike else f"is {kind(actual)} instead of an image"


def _compare_numbers(expected: float, actual: float, limits: AnswerLimits, spreads: Spreads, path: str) -> str:
    if isinstance(expected, int) and isinstance(actual, int):
        same = expected == actual
    else:
        bound = numbers.allowed(float(expected), limits, spreads.get(path, UNKNOWN))
        same = numbers.same_number(float(expected), float(actual), bound)
    return "" if same else _at(path, f"{numbers.shown(actual)} instead of {numbers.shown(expected)}")


def _compare_objects(
    expected: dict[str, Plain], actual: dict[str, Plain], limits: AnswerLimits, spreads: Spreads, path: str
) -> str:
    one, other = labels.labelled(expected), labels.labelled(actual)
    if one and other and one.field == other.field:
        bound = labels.score_bound(one.score, limits, spreads.get(f"{path}{one.field}", UNKNOWN))
        same = numbers.same_number(one.score, other.score, bound)
        return "" if same else _at(path, f"score of {one.label} {_score(other)} instead of {_score(one)}")
    if _are_scores(expected, actual):
        ranked = [_by_score(each) for each in (expected, actual)]
        return _at(path, labels.compare_rankings(ranked[0], ranked[1], limits, {}, path))
    if expected.keys() != actual.keys():
        return _at(path, _other_keys(expected, actual))
    members = (match(expected[key], actual[key], limits, spreads, f"{path}.{key}") for key in expected)
    return next(filter(None, members), "")


def _compare_lists(
    expected: list[Plain], actual: list[Plain], limits: AnswerLimits, spreads: Spreads, path: str
) -> str:
    if len(expected) != len(actual):
        return _at(path, f"has {len(actual)} items instead of {len(expected)}")
    items = (
        match(one, other, limits, spreads, within(path, number, len(expected), one))
        for number, (one, other) in enumerate(zip(expected, actual, strict=True))
    )
    return next(filter(None, items), "")


def _are_scores(expected: dict[str, Plain], actual: dict[str, Plain]) -> bool:
    """Return whether dicts give each of some labels a score: floats in 0..1 whose sum is 1 or whose keys differ."""
    scores = [*expected.values(), *actual.values()]
    if not expected or not all(isinstance(one, float) and 0 <= one <= 1 for one in scores):
        return False
    return expected.keys() != actual.keys() or (len(expected) > 1 and abs(sum(expected.values()) - 1) < _SUM)


def _by_score(value: dict[str, Plain]) -> list[labels.Labelled]:
    return [labels.Labelled(repr(key), value[key], "") for key in sorted(value, key=lambda key: (-value[key], key))]


def _other_keys(expected: dict[str, Plain], actual: dict[str, Plain]) -> str:
    lacks = [repr(key) for key in expected if key not in actual]
    extra = [repr(key) for key in actual if key not in expected]
    told = [f"lacks {', '.join(lacks)}"] if lacks else []
    return "; ".join([*told, f"also has {', '.join(extra)}"] if extra else told)


def _score(one: labels.Labelled) -> str:
    return numbers.shown(one.score)


def _told(value: Plain) -> str:
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _at(path: str, reason: str) -> str:
    """Return `reason`, saying which part of the answer it is about."""
    return f"{path.removeprefix('.')}: {reason}" if reason and path else reason
