"""Recognise boxes in an answer, and pair the artifact's with eager's: class by class, the surest first.

A box is four numbers: a field named `box`, `bbox`, `xyxy`, `xywh`, ... or four fields (x1, y1, x2, y2; left, top,
right, bottom; x, y, width, height; ...). A detection is a dict that has one; its other fields are a score (its one
float) and a class (texts and whole numbers), and what else it has is compared between partners. Also a list of four
numbers each under a name with "box" in it, an array [n, 4] there, and a dict of columns: `boxes` beside `scores`, ...

Pairing is the greedy rule of COCO (pycocotools, cocoeval.py) with eager's boxes as the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from edgefn.accuracy.answers.labels import ENOUGH, score_bound
from edgefn.accuracy.answers.limits import AnswerLimits
from edgefn.accuracy.answers.numbers import shown
from edgefn.accuracy.answers.spread import UNKNOWN, Spread, Spreads, step_of
from edgefn.accuracy.answers.values import Plain, is_array, is_number

ROUNDED = 0.1
"""Corners that were rounded to more than this share of a box say nothing of where it is."""

PARTNER_IOU = 0.5
"""Boxes that overlap by less are of two things."""

_BOXES = frozenset({"box", "bbox", "bounding_box", "boundingbox", "xyxy", "xywh", "rect", "roi"})
_CORNERS = (
    ("x1", "y1", "x2", "y2"),
    ("x0", "y0", "x1", "y1"),
    ("left", "top", "right", "bottom"),
    ("xmin", "ymin", "xmax", "ymax"),
    ("x_min", "y_min", "x_max", "y_max"),
)
_SIZED = (("x", "y", "w", "h"), ("x", "y", "width", "height"), ("left", "top", "width", "height"))
_COLUMNS = ("boxes", "bboxes", "xyxy", "xywh")


class Detection(NamedTuple):
    """A box as (left, top, right, bottom), its class, its score if it has one, and its other fields.

    `field` is the score's place, e.g. ".score".
    """

    box: tuple[float, float, float, float]
    label: tuple[Plain, ...] = ()
    score: float | None = None
    field: str = ""
    rest: Mapping[str, Plain] = MappingProxyType({})


def detection(value: Plain, name: str = "") -> Detection | None:
    """Read `value`, a field called `name`, as a detection; return None where it is none."""
    if isinstance(value, dict):
        return _of_fields(value)
    sized = "wh" in name.lower()
    return _bare(value, sized=sized) if _names_boxes(name) or (isinstance(value, list) and _grows(value)) else None


def detections(value: Plain, name: str = "") -> list[Detection] | None:
    """Return the detections of a list, an array [n, 4] or a dict of columns; None where it holds other things."""
    if isinstance(value, dict):
        return _of_columns(value)
    if is_array(value):
        named = _names_boxes(name) and value.ndim == 2 and value.shape[1] in (4, 5, 6)
        return [_of_row(row) for row in value.tolist()] if named else None
    if not isinstance(value, list):
        return None
    found = [detection(one, name) for one in value]
    each = [one for one in found if one is not None]
    return each if len(each) == len(found) else None


def compare_boxes(
    expected: Sequence[Detection], actual: Sequence[Detection], limits: AnswerLimits, spreads: Spreads, path: str
) -> tuple[str, list[tuple[Detection, Detection]]]:
    """Return why the boxes do not match, or "", and the partners: eager's with the artifact's."""
    field = next((one.field for one in (*expected, *actual) if one.field), "")
    places = (f"{path}[]{field}", f"{path}{field}", f"{path}{field}[]")
    spread = next((spreads[place] for place in places if place in spreads), UNKNOWN)
    partners = pair(expected, actual)
    found = {id(one) for one, _ in partners}
    given = {id(one) for _, one in partners}
    lost = [one for one in expected if id(one) not in found and not _near_threshold(one, limits, spread)]
    invented = [one for one in actual if id(one) not in given and not _near_threshold(one, limits, spread)]
    if len(lost) > limits.lost * len(expected):
        return f"finds {len(expected) - len(lost)} of {len(expected)} boxes", partners
    if len(invented) > limits.lost * max(1, len(expected)):
        return f"finds {len(invented)} boxes that do not exist", partners
    step = 1.001 * step_of([edge for one in expected for edge in one.box]) if expected else 0.0
    reasons = (_moved(one, other, limits, spread, step) for one, other in partners)
    return next(filter(None, reasons), ""), partners


def pair(expected: Sequence[Detection], actual: Sequence[Detection]) -> list[tuple[Detection, Detection]]:
    """Return partners: each of `expected`, the surest first, with the free box of its class that overlaps it most."""
    free = list(actual)
    partners = []
    for one in sorted(expected, key=lambda each: -(each.score or 0.0)):
        alike = [other for other in free if other.label == one.label]
        best = max(alike, key=lambda other: (overlap(one.box, other.box), -_shift(one, other)), default=None)
        if best is not None and (overlap(one.box, best.box) >= PARTNER_IOU or _shift(one, best) == 0):
            free = [other for other in free if other is not best]
            partners.append((one, best))
    return partners


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Return the intersection over the union of two boxes; 0.0 of those without an area."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(0.0, width) * max(0.0, height)
    union = _area(one) + _area(other) - shared
    return shared / union if union > 0 else 0.0


def _of_fields(value: dict[str, Plain]) -> Detection | None:
    found = _box_of(value)
    if found is None:
        return None
    used, bare = found
    others = {name: member for name, member in value.items() if name not in used}
    scores = [name for name, member in others.items() if isinstance(member, float)]
    score = scores[0] if len(scores) == 1 else None
    labels = {name: member for name, member in others.items() if isinstance(member, str | int)}
    rest = {name: member for name, member in others.items() if name not in labels and name != score}
    return bare._replace(
        label=tuple(labels.values()),
        score=None if score is None else others[score],
        field="" if score is None else f".{score}",
        rest=rest,
    )


def _box_of(value: dict[str, Plain]) -> tuple[tuple[str, ...], Detection] | None:
    """Return the fields of `value` that are its box, and the box alone."""
    lower = {name.lower(): name for name in value}
    for name in _BOXES & set(lower):
        if (bare := _bare(value[lower[name]], sized="wh" in name)) is not None:
            return (lower[name],), bare
    for fields in (*_CORNERS, *_SIZED):
        if set(fields) <= set(lower):
            names = tuple(lower[field] for field in fields)
            bare = _bare([value[name] for name in names], sized=fields in _SIZED)
            if bare is not None:
                return names, bare
    return None


def _of_columns(value: dict[str, Plain]) -> list[Detection] | None:
    name = next((one for one in _COLUMNS if one in value), None)
    boxes = None if name is None else detections(value[name], name)
    if name is None or boxes is None:
        return None
    columns = {key: _column(member) for key, member in value.items() if key != name}
    if any(column is None or len(column) != len(boxes) for column in columns.values()):
        return None
    rows = [{key: column[place] for key, column in columns.items() if column} for place in range(len(boxes))]
    return [_of_fields({**row, "box": list(box.box)}) or box for box, row in zip(boxes, rows, strict=True)]


def _column(value: Plain) -> list[Plain] | None:
    if is_array(value):
        items: list[Plain] = value.tolist() if value.ndim == 1 else list(value)
        return items
    return value if isinstance(value, list) else None


def _of_row(row: Sequence[float]) -> Detection:
    """Return a row of (left, top, right, bottom, score, class)."""
    score = float(row[4]) if len(row) > 4 else None
    return Detection(_box(row[:4], sized=False), tuple(row[5:]), score)


def _bare(value: Plain, *, sized: bool) -> Detection | None:
    value = value.tolist() if is_array(value) and value.shape == (4,) else value
    if not isinstance(value, list) or len(value) != 4 or not all(is_number(one) for one in value):
        return None
    return Detection(_box(value, sized=sized))


def _box(value: Sequence[float], *, sized: bool) -> tuple[float, float, float, float]:
    left, top, right, bottom = map(float, value)
    return (left, top, left + right, top + bottom) if sized else (left, top, right, bottom)


def _names_boxes(name: str) -> bool:
    return any(word in name.lower() for word in ("box", "xyxy", "xywh", "rect", "detection"))


def _grows(value: list[Plain]) -> bool:
    """Return whether four numbers can be corners: right beyond left, bottom beyond top."""
    return len(value) == 4 and all(map(is_number, value)) and value[0] < value[2] and value[1] < value[3]


def _near_threshold(one: Detection, limits: AnswerLimits, spread: Spread) -> bool:
    """Return whether the handler's threshold may have been missed by as little as the bound allows."""
    if one.score is None or spread.count < ENOUGH:
        return False
    return one.score <= spread.least + score_bound(one.score, limits, spread)


def _moved(expected: Detection, actual: Detection, limits: AnswerLimits, spread: Spread, step: float) -> str:
    """Return how the partner of a box differs, or ""; its corners may be rounded the other way, by `step`."""
    rounded = (
        step if step <= ROUNDED * max(expected.box[2] - expected.box[0], expected.box[3] - expected.box[1]) else 0.0
    )
    allowed = max(rounded, limits.pixels * _in_pixels(expected))
    iou = overlap(expected.box, actual.box)
    if iou < limits.iou and _shift(expected, actual) > allowed:
        return f"a box overlaps eager's only by {iou:.0%}"
    if expected.score is None or actual.score is None:
        return ""
    if abs(expected.score - actual.score) <= score_bound(expected.score, limits, spread):
        return ""
    return f"score of a box {shown(actual.score)} instead of {shown(expected.score)}"


def _in_pixels(one: Detection) -> float:
    """Return 1.0 for corners in pixels, 0.0 for those relative to the image."""
    return float(max(map(abs, one.box)) > 2)


def _shift(one: Detection, other: Detection) -> float:
    return max(abs(here - there) for here, there in zip(one.box, other.box, strict=True))


def _area(box: tuple[float, ...]) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])
