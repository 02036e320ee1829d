"""What is sent to each function of tests/clients/functions, and what it must answer: worked out here, not by edgefn.

An image or bytes is given as `bytes`, an array as nested lists, anything else as JSON has it.
"""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any, NamedTuple

from PIL import Image as Pixels

from tests.clients.catalogue import FUNCTIONS


def picture(colour: tuple[int, int, int], format: str = "PNG", size: tuple[int, int] = (4, 3)) -> bytes:
    """Return an image file of one colour."""
    file = io.BytesIO()
    Pixels.new("RGB", size, colour).save(file, format)
    return file.getvalue()


def told_image(data: bytes) -> dict[str, Any]:
    """Return what a function tells of an image file."""
    with Pixels.open(io.BytesIO(data)) as opened:
        pixels = opened.convert("RGB")
    return {"image": hashlib.sha256(pixels.tobytes()).hexdigest(), "size": list(pixels.size)}


def told_bytes(data: bytes) -> dict[str, Any]:
    """Return what a function tells of bytes."""
    return {"bytes": hashlib.sha256(data).hexdigest(), "length": len(data)}


def told_rows(rows: list[list[float]]) -> dict[str, Any]:
    """Return what a function tells of an array of rows of two."""
    return {"dtype": "float32", "shape": [len(rows), 2], "values": rows}


def base64_of(value: Any) -> Any:
    """Return `value` as JSON holds it."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return [base64_of(item) for item in value] if isinstance(value, list) else value


class Sample(NamedTuple):
    """Arguments of a function and its answer in JSON."""

    function: str
    given: dict[str, Any]
    answer: Any


RED, BLUE = picture((250, 0, 0)), picture((0, 0, 250))
BLOB = b"\x00\xff PK \r\n\x1a"
TEXT = "ein Löffel & 50 % + mehr = \U0001f600"
ROWS = [[0.5, -1.25], [3.0, 4.0]]
_TREE = {"value": 1, "below": [{"value": 2, "below": []}]}
_BOXES = [{"left": 1, "top": 2, "label": "door"}, {"left": 3, "top": 4, "label": None}]
_ID = "00000000-0000-0000-0000-000000000001"


def _lone(name: str, value: Any, told: Any) -> Sample:
    return Sample(name, {"value": value}, {"value": told})


SAMPLES = [
    _lone("take_int", -3, -3),
    _lone("take_float", 2.5, 2.5),
    _lone("take_bool", True, True),
    _lone("take_literal", "fast", "fast"),
    _lone("take_enum", "red", "red"),
    _lone("take_date", "2026-03-01", "2026-03-01"),
    _lone("take_uuid", _ID, _ID),
    _lone("take_optional", 4, 4),
    Sample("take_optional", {}, {"value": None}),
    _lone("take_text", TEXT, TEXT),
    _lone("take_bytes", BLOB, told_bytes(BLOB)),
    _lone("take_image", RED, told_image(RED)),
    _lone("take_rows", ROWS, told_rows(ROWS)),
    _lone("take_ints", [1, -2, 3], [1, -2, 3]),
    _lone("take_texts", ["a", "b c", "ß"], ["a", "b c", "ß"]),
    _lone("take_images", [RED, BLUE], [told_image(RED), told_image(BLUE)]),
    _lone("take_blobs", [BLOB, b"x"], [told_bytes(BLOB), told_bytes(b"x")]),
    _lone("take_pair", [1, "one"], [1, "one"]),
    _lone("take_dict", {"a": 1.5, "b": 2.0}, {"a": 1.5, "b": 2.0}),
    _lone("take_struct", {"t": 21.5, "name": "hall"}, {"t": 21.5, "name": "hall"}),
    _lone("take_struct", {"t": 21.5}, {"t": 21.5, "name": "kitchen"}),
    _lone("take_boxes", _BOXES, _BOXES),
    _lone("take_tree", _TREE, _TREE),
    _lone("take_any", {"free": [1, None]}, {"free": [1, None]}),
    Sample("take_nothing", {}, {}),
    Sample("take_scalars", {"count": 2}, {"count": 2, "share": 0.5, "mode": "good"}),
    Sample("take_scalars", {"count": 2, "share": 0.25, "mode": "fast"}, {"count": 2, "share": 0.25, "mode": "fast"}),
    Sample(
        "take_image_and",
        {"image": RED, "width": 7, "mode": "fast", "note": TEXT},
        {"image": told_image(RED), "width": 7, "mode": "fast", "note": TEXT},
    ),
    Sample(
        "take_image_and",
        {"image": BLUE, "width": 7},
        {"image": told_image(BLUE), "width": 7, "mode": "good", "note": ""},
    ),
    Sample("take_image_or_mask", {"image": RED}, {"image": told_image(RED), "mask": None, "share": None}),
    Sample(
        "take_image_or_mask",
        {"image": RED, "mask": BLUE, "share": 0.75},
        {"image": told_image(RED), "mask": told_image(BLUE), "share": 0.75},
    ),
    Sample("take_two_images", {"a": RED, "b": BLUE}, {"a": told_image(RED), "b": told_image(BLUE), "share": 0.5}),
    Sample("take_rows_and", {"x": ROWS, "scale": 2.0}, {"x": told_rows(ROWS), "scale": 2.0}),
    Sample("take_bytes_and", {"data": BLOB, "name": "x y"}, {"data": told_bytes(BLOB), "name": "x y"}),
    Sample(
        "take_struct_and",
        {"reading": {"t": 1.5}, "limit": 0.25},
        {"reading": {"t": 1.5, "name": "kitchen"}, "limit": 0.25},
    ),
    Sample(
        "take_lists_and",
        {"images": [RED, BLUE], "names": ["a", "b"], "count": 2},
        {"images": [told_image(RED), told_image(BLUE)], "names": ["a", "b"], "count": 2},
    ),
    Sample("give_int", {}, 7),
    Sample("give_text", {}, "grüß dich"),
    Sample("give_bytes", {}, b"\x00\xff\x80"),
    Sample("give_image", {}, told_image(picture((200, 100, 50), size=(3, 2)))),
    Sample("give_rows", {}, [[1.0, 2.0], [3.0, 4.0]]),
    Sample("give_nothing", {}, None),
    Sample("give_struct", {}, {"t": 21.5, "name": "kitchen"}),
    Sample("give_list", {}, [{"left": 1, "top": 2, "label": None}, {"left": 3, "top": 4, "label": "door"}]),
    Sample("give_pair", {}, [1, "one"]),
    Sample("give_maybe", {}, None),
    Sample("give_receipt", {}, {"at": "2026-03-01T12:00:00Z", "price": "1.50", "id": _ID}),
    Sample("give_tree", {}, {"value": 1, "below": [{"value": 2, "below": []}]}),
]


def kind_of(function: str, parameter: str) -> str:
    """Return the kind of a function's parameter."""
    return next(p.kind for p in FUNCTIONS[function].spec.parameters if p.name == parameter)
