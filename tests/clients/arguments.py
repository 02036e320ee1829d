"""Arguments of every kind that a parameter may have, each with the ways it is written: in JSON, as texts, as files."""

from __future__ import annotations

import datetime
import enum
import inspect
import io
import json
import uuid
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
import numpy as np
from hypothesis import strategies as st

from edgefn import Image, tensor
from tests.clients.documented import Value
from tests.clients.samples import BLUE, RED, base64_of


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Reading(msgspec.Struct):
    at: float
    room: str = "kitchen"


class Album(msgspec.Struct):
    cover: Image
    raw: bytes = b""
    size: tuple[int, int] = (0, 0)


Digit = Annotated[int, msgspec.Meta(ge=0, le=9)]
Rows = Annotated[np.ndarray[Any, np.dtype[np.float32]], tensor("float32", "n", 2)]


def npy(rows: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(rows, np.float32).reshape(-1, 2))
    return file.getvalue()


def scalar(json: Any, expected: Any = None) -> Value:
    text = json if isinstance(json, str) else repr(json) if not isinstance(json, bool) else str(json).lower()
    return Value(json, json if expected is None else expected, [text], [text.encode()], json)


def blob(data: bytes) -> Value:
    return Value(base64_of(data), data, [base64_of(data)], [data], data)


def several(values: list[Value]) -> Value:
    return Value(
        [value.json for value in values],
        [value.expected for value in values],
        [text for value in values for text in value.texts],
        [file for value in values for file in value.files],
        [value.msgpack for value in values],
    )


def structure(json_value: Any, expected: Any) -> Value:
    text = json.dumps(json_value)
    return Value(json_value, expected, [text], [text.encode()], json_value)


def rows(values: list[list[float]]) -> Value:
    return Value(values, values, [json.dumps(values)], [npy(values)], values)


def reading(at: float, room: str | None) -> Value:
    told = {"at": at} | ({} if room is None else {"room": room})
    return structure(told, {"at": at, "room": room or "kitchen" if room is None else room})


def album(data: bytes, raw: bytes) -> Value:
    told = {"cover": base64_of(data), "raw": base64_of(raw), "size": [1, 2]}
    packed = {"cover": data, "raw": raw, "size": [1, 2]}
    return structure(told, Album(Image(data), raw, (1, 2)))._replace(msgpack=packed)


def structures(values: list[Value]) -> Value:
    return structure([one.json for one in values], [one.expected for one in values])


def as_it_is(value: Any) -> Value:
    return structure(value, value)


def as_text(value: Any) -> Value:
    return scalar(value.isoformat() if isinstance(value, datetime.date) else str(value), value)


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
ITEMS = TEXT.filter(lambda text: not text.lstrip().startswith("["))  # one field that is a JSON list is read as it
FLOATS32 = st.floats(allow_nan=False, allow_infinity=False, width=32)
INTS = st.integers(-(2**63), 2**63 - 1)
PICTURES = st.sampled_from([RED, BLUE])
READINGS = st.builds(reading, FLOATS, st.none() | TEXT)


class Kind(NamedTuple):
    """A type that a parameter may have, and its values."""

    hint: Any
    values: st.SearchStrategy[Value]


KINDS = [
    Kind(int, INTS.map(scalar)),
    Kind(float, FLOATS.map(scalar)),
    Kind(bool, st.booleans().map(scalar)),
    Kind(Literal["fast", "good"], st.sampled_from(["fast", "good"]).map(scalar)),
    Kind(Colour, st.sampled_from(Colour).map(lambda one: scalar(one.value, one))),
    Kind(datetime.date, st.dates().map(lambda one: scalar(one.isoformat(), one))),
    Kind(str, TEXT.map(scalar)),
    Kind(bytes, st.binary(min_size=1, max_size=20).map(blob)),
    Kind(Image, PICTURES.map(blob)),
    Kind(Rows, st.lists(st.lists(FLOATS32, min_size=2, max_size=2), min_size=2, max_size=2).map(rows)),
    Kind(list[int], st.lists(INTS.map(scalar), min_size=1, max_size=3).map(several)),
    Kind(list[str], st.lists(ITEMS.map(scalar), min_size=1, max_size=3).map(several)),
    Kind(list[Image], st.lists(PICTURES.map(blob), min_size=1, max_size=3).map(several)),
    Kind(list[bytes], st.lists(st.binary(min_size=1, max_size=8).map(blob), min_size=1, max_size=3).map(several)),
    Kind(tuple[int, str], st.tuples(INTS, TEXT).map(lambda pair: structure(list(pair), pair))),
    Kind(dict[str, int], st.dictionaries(TEXT, INTS, max_size=3).map(lambda found: structure(found, found))),
    Kind(Reading, READINGS),
    Kind(list[Reading], st.lists(READINGS, min_size=1, max_size=2).map(structures)),
    Kind(list[list[int]], st.lists(st.lists(INTS, max_size=2), min_size=1, max_size=2).map(as_it_is)),
    Kind(Album, st.builds(album, PICTURES, st.binary(max_size=8))),
    Kind(Digit, st.integers(0, 9).map(scalar)),
    Kind(uuid.UUID, st.uuids().map(as_text)),
    Kind(datetime.datetime, st.datetimes().map(lambda one: as_text(one.replace(fold=0)))),
    Kind(Decimal, st.decimals(-1000, 1000, places=3).map(as_text)),
]


SCALARS = (
    *(int, float, bool, Digit, Literal["fast", "good"], Colour),
    *(datetime.date, datetime.datetime, uuid.UUID, Decimal),
)
"""The kinds that are one word, which no body is."""


def plain(value: Any) -> Any:
    """Return an argument as it can be compared."""
    if isinstance(value, Image):
        return value.pil().tobytes()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Album):
        return plain(value.cover), value.raw, value.size
    return msgspec.to_builtins(value) if isinstance(value, msgspec.Struct) else value


def expected(value: Any, kind: Any) -> Any:
    if kind is Image:
        return Image(value).pil().tobytes()
    if kind is Album:
        return plain(value)
    return [expected(item, Image) for item in value] if kind == list[Image] else value


def handler_of(parameters: list[inspect.Parameter]) -> Callable[..., None]:
    """Return a function that has these parameters, and returns nothing."""

    def handler(**arguments: Any) -> None: ...

    # Where there is one, `inspect` takes it for the function's own; typeshed knows no such attribute.
    handler.__signature__ = inspect.Signature(parameters, return_annotation=None)  # type: ignore[attr-defined]
    return handler
