"""Arguments that clients write less often: nested and renamed objects, odd enums, sets, arrays of other dtypes."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import io
import json
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict, get_origin

import msgspec
import numpy as np
from hypothesis import strategies as st

from edgefn import tensor
from edgefn.codec.tensors import DType
from tests.clients.arguments import FLOATS, FLOATS32, ITEMS, TEXT, Colour, Kind, Reading, as_text, blob, scalar, several
from tests.clients.documented import Value
from tests.clients.samples import base64_of


class Odd(enum.Enum):
    EMPTY = ""
    BLANK = " x "
    TRUE = "true"
    ONE = "1"
    FORM = "a=1&b[]=é%20+"
    LIST = "[1]"
    OBJECT = '{"a": 1}'
    QUOTED = '"q"'


class Level(enum.IntEnum):
    LOW = -1
    NONE = 0
    HIGH = 7


class Inner(msgspec.Struct, rename="camel"):
    room_name: str
    by_day: dict[str, list[int]] = {}
    is_on: bool = False


class Outer(msgspec.Struct):
    inner: Inner
    tags: list[str]
    when: datetime.datetime | None = None
    raw: bytes = b""
    odd: Odd = Odd.EMPTY


@dataclasses.dataclass
class Box:
    size: tuple[float, float]
    label: str | None = None


class Settings(TypedDict):
    on: bool
    name: NotRequired[str]


class Point(NamedTuple):
    x: float
    y: float
    name: str = ""


class Row(msgspec.Struct, array_like=True):
    key: int
    text: str


def object_of(kind: Any, json_value: Any, packed: Any = None) -> Value:
    """Return the value of type `kind` that JSON means, as msgspec reads it from JSON."""
    text = json.dumps(json_value, ensure_ascii=False)
    return Value(json_value, msgspec.convert(json_value, kind), [text], [text.encode()], packed or json_value)


def listed(kind: Any, values: list[Value]) -> Value:
    """Return a list of words; without items it is JSON in its field."""
    made = several(values)
    made = made._replace(expected=kind(made.expected), files=[text.encode() for text in made.texts])
    return made if values else made._replace(texts=["[]"], files=[b"[]"])


def outer(inner: Any, tags: Any, when: Value | None, raw: bytes, odd: Odd) -> Value:
    value = {"inner": inner, "tags": tags, "when": when and when.json, "odd": odd.value}
    return object_of(Outer, value | {"raw": base64_of(raw)}, value | {"raw": raw})


def array(dtype: str, shape: tuple[int, ...], numbers: list[Any]) -> Value:
    made = np.array(numbers, dtype).reshape(shape)
    file = io.BytesIO()
    np.save(file, made)
    return Value(made.tolist(), made, [json.dumps(made.tolist())], [file.getvalue()], made.tolist())


def arrays(dtype: DType, *shape: Any, items: st.SearchStrategy[Any]) -> Kind:
    """Return the kind of an array; n is 2 in all of a function's, m is 3."""
    hint = Annotated[np.ndarray[Any, Any], tensor(dtype, *shape)]
    lengths = tuple({"n": 2, "m": 3}.get(one, one) for one in shape)
    size = int(np.prod(lengths, dtype=int))
    return Kind(hint, st.lists(items, min_size=size, max_size=size).map(lambda drawn: array(dtype, lengths, drawn)))


UINT64 = st.integers(-(2**63), 2**64 - 1)
ODDS = st.sampled_from(Odd)
INNER = st.fixed_dictionaries(
    {"roomName": TEXT},
    optional={"byDay": st.dictionaries(TEXT, st.lists(UINT64, max_size=2), max_size=2), "isOn": st.booleans()},
)
ZONES = st.integers(-720, 840).map(lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes)))
MOMENTS = st.datetimes(timezones=st.none() | ZONES).map(lambda one: as_text(one.replace(fold=0)))
LASTING = st.timedeltas(datetime.timedelta(-9999), datetime.timedelta(9999))
FLOATS_OF_NOTE = [-0.0, 5e-324, 1e22, 1.7976931348623157e308, 123456789.0]
TEXTS_OF_NOTE = ["", " ", "null", "true", "1", "[1]", '{"a": 1}', '"q"', "a=1&b=2", "\ufeffx", "+%20", "\r\n"]
BYTES_OF_NOTE = [b"", b"null", b"{}", b'"q"', b"a=b", b"\x00", b"\x89PNG\r\n\x1a\n", b"--b"]


def word(one: enum.Enum) -> Value:
    return scalar(one.value, one)


def of(values: st.SearchStrategy[Any], kind: Any, min_size: int = 0) -> Kind:
    """Return the kind of a list, set or tuple of words."""
    make = get_origin(kind)
    return Kind(kind, st.lists(values, min_size=min_size, max_size=3).map(lambda found: listed(make, found)))


def objects(kind: Any, values: st.SearchStrategy[Any]) -> Kind:
    """Return the kind of what is JSON in a field."""
    return Kind(kind, values.map(lambda found: object_of(kind, found)))


def named(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(TEXT, values, max_size=3)


def few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=3)


def as_bytes(found: dict[str, bytes]) -> Value:
    return object_of(dict[str, bytes], {name: base64_of(data) for name, data in found.items()}, found)


ODD_KINDS = [
    Kind(Odd, ODDS.map(word)),
    Kind(Level, st.sampled_from(Level).map(word)),
    Kind(Literal[1, -2, "a", ""], st.sampled_from([1, -2, "a", ""]).map(scalar)),
    Kind(int, UINT64.map(scalar)),
    Kind(float, st.sampled_from(FLOATS_OF_NOTE).map(scalar)),
    Kind(str, st.sampled_from(TEXTS_OF_NOTE).map(scalar)),
    Kind(bytes, st.sampled_from(BYTES_OF_NOTE).map(blob)),
    Kind(datetime.time, st.times().map(lambda one: scalar(one.isoformat(), one.replace(fold=0)))),
    Kind(datetime.datetime, MOMENTS),
    Kind(datetime.timedelta, LASTING.map(lambda one: scalar(msgspec.to_builtins(one), one))),
    of(FLOATS.map(scalar), list[float]),
    of(st.booleans().map(scalar), list[bool]),
    of(st.sampled_from(Colour).map(word), list[Colour]),
    of(ODDS.filter(lambda one: one is not Odd.LIST).map(word), list[Odd]),
    of(MOMENTS, list[datetime.datetime]),
    of(UINT64.map(scalar), set[int]),
    of(ITEMS.map(scalar), frozenset[str]),
    of(UINT64.map(scalar), tuple[int, ...]),
    Kind(Outer, st.builds(outer, INNER, few(TEXT), st.none() | MOMENTS, st.binary(max_size=5), ODDS)),
    objects(Inner, INNER),
    objects(Box, st.fixed_dictionaries({"size": st.tuples(FLOATS, FLOATS).map(list)}, optional={"label": TEXT})),
    objects(Settings, st.fixed_dictionaries({"on": st.booleans()}, optional={"name": TEXT})),
    objects(Point, st.tuples(FLOATS, FLOATS, TEXT).map(list)),
    objects(Row, st.tuples(UINT64, TEXT).map(list)),
    objects(list[Row], few(st.tuples(UINT64, TEXT).map(list))),
    objects(dict[str, list[str]], named(few(TEXT))),
    objects(dict[str, Reading], named(FLOATS.map(lambda at: {"at": at}))),
    objects(list[dict[str, bool]], few(named(st.booleans()))),
    Kind(dict[str, bytes], named(st.binary(max_size=5)).map(as_bytes)),
    arrays("bool", "n", items=st.booleans()),
    arrays("int64", "n", "m", items=st.integers(-(2**63), 2**63 - 1)),
    BYTE_ROW := arrays("uint8", "n", items=st.integers(0, 255)),
    arrays("float64", items=FLOATS),
    arrays("float32", items=FLOATS32),
    arrays("float16", "n", 2, "n", items=st.integers(-2048, 2048).map(float)),
    arrays("uint64", "n", items=st.integers(0, 2**64 - 1)),
]

UINT8 = BYTE_ROW.hint
ODD_WORDS = (Odd, Level, Literal[1, -2, "a", ""], datetime.time, datetime.timedelta)


def same(one: Any, other: Any) -> bool:
    """Tell whether two arguments are the same value of the same type, minus zero too."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, set | frozenset | dict):
        return type(one) is type(other) and bool(one == other)
    return type(one) is type(other) and repr(one) == repr(other)
