"""Results of every kind, each with what a client must read from it in each form: written by hand, from no encoder.

`Kind.forms` has, by media type in the order on offer, what an independent reader gives of the body: json and msgpack as
Python has them, numpy.load, numpy.frombuffer, Pillow. A form that the result has not is not there, or NOT: its kind has
it, and cannot hold this one.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import io
import json
import math
import pathlib
import uuid
from collections import OrderedDict, UserDict, deque
from typing import Any, NamedTuple

import attrs
import msgpack
import msgspec
import numpy as np
import PIL.Image

from edgefn import Image

JSON, MSGPACK, X_MSGPACK = "application/json", "application/msgpack", "application/x-msgpack"
NPY, OCTETS, TEXT = "application/x-npy", "application/octet-stream", "text/plain"
PNG, JPEG, WEBP = "image/png", "image/jpeg", "image/webp"
NOT: Any = type("Not", (), {"__repr__": lambda self: "NOT"})()
"""In the place of an answer: the form cannot hold the result."""


class Kind(NamedTuple):
    name: str
    value: Any
    forms: dict[str, Any]


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Word(enum.StrEnum):
    YES = "yes"


class Point(NamedTuple):
    x: int
    y: float


class Text(str):
    """A subclass that msgspec does not know."""


@dataclasses.dataclass(slots=True)
class Inner:
    score: np.float32
    scale: dataclasses.InitVar[int] = 2


@dataclasses.dataclass
class Outer:
    inner: Inner
    raw: np.ndarray


@attrs.define
class Attributes:
    count: int
    _hidden: int = 1


class Tagged(msgspec.Struct, tag="cat", rename="camel", omit_defaults=True):
    long_name: int
    omitted: int = 1


def read(media: str, body: bytes) -> Any:
    """What an independent client reads."""
    match media.partition(";")[0]:
        case "application/json":
            return json.loads(body, object_pairs_hook=_unique, parse_constant=_no_constant)
        case "application/msgpack" | "application/x-msgpack":
            return _lists(msgpack.unpackb(body, strict_map_key=False, use_list=False, timestamp=3))
        case "application/x-npy":
            return np.load(io.BytesIO(body), allow_pickle=False)
        case "text/plain":
            return body.decode("utf-8", errors="strict")
        case "image/png" | "image/jpeg" | "image/webp":
            return _picture(body)
        case _:
            return body


class Picture(NamedTuple):
    format: str | None
    size: tuple[int, int]


def same(read: Any, expected: Any) -> bool:
    """Whether a client read what it must, or what a check of its own takes. An int is no float and no bool."""
    if callable(expected):
        return bool(expected(read))
    if isinstance(expected, np.ndarray):
        return bool(read.dtype == expected.dtype and read.shape == expected.shape and repr(read) == repr(expected))
    if isinstance(expected, dict):
        return isinstance(read, dict) and list(read) == list(expected) and all(same(read[k], expected[k]) for k in read)
    if isinstance(expected, list):
        return isinstance(read, list) and len(read) == len(expected) and all(map(same, read, expected))
    if isinstance(expected, float) and math.isnan(expected):
        return isinstance(read, float) and math.isnan(read)
    return bool(type(read) is type(expected) and read == expected)


def _picture(body: bytes) -> Picture:
    opened = PIL.Image.open(io.BytesIO(body))
    opened.load()
    return Picture(opened.format, opened.size)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), f"a name stands twice in {pairs}"
    return dict(pairs)


def _no_constant(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def _lists(value: Any) -> Any:
    """Lists for tuples, which msgpack needs to read arrays as keys."""
    if isinstance(value, tuple):
        return [_lists(member) for member in value]
    return {key: _lists(member) for key, member in value.items()} if isinstance(value, dict) else value


def packed(array: Any) -> dict[str, Any]:
    """An array as MessagePack has it."""
    return {"dtype": array.dtype.name, "shape": list(array.shape), "data": _little(array)}


def _little(array: Any) -> bytes:
    return bytes(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes())


def structured(name: str, value: Any, in_json: Any, in_msgpack: Any = ...) -> Kind:
    """A kind with JSON and MessagePack alone; both read the same where one is given."""
    return Kind(name, value, {JSON: in_json, MSGPACK: in_json if in_msgpack is ... else in_msgpack})


def plain_array(name: str, array: Any, lists: Any) -> Kind:
    """An array of one of the dtypes that requests take, too."""
    base = np.array(array)
    forms = {JSON: lists, MSGPACK: packed(base), NPY: base, OCTETS: _little(base)}
    return Kind(name, array, forms)


def other_array(name: str, array: Any, lists: Any, npy: Any = ..., in_msgpack: Any = ..., raw: Any = NOT) -> Kind:
    """An array of any other dtype, or a masked one; JSON and MessagePack read the same where one is given."""
    forms = {
        JSON: lists,
        MSGPACK: lists if in_msgpack is ... else in_msgpack,
        NPY: np.asarray(array) if npy is ... else npy,
        OCTETS: raw,
    }
    return Kind(name, array, forms)


def picture(name: str, value: Any, size: tuple[int, int], without: tuple[str, ...] = ()) -> Kind:
    """A picture; `without` are the types that cannot hold it."""
    forms: dict[str, Any] = {
        media: NOT if media in without else Picture(media.partition("/")[2].upper(), size)
        for media in (PNG, JPEG, WEBP)
    }
    forms[JSON] = lambda text: text.startswith("iVBORw0KGgo")
    forms[MSGPACK] = lambda data: _picture(data) == Picture("PNG", size)
    return Kind(name, value, forms)


def _jpeg() -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (6, 4), "red").save(file, "JPEG")
    return file.getvalue()


JPEG_FILE = _jpeg()
_NOON = datetime.datetime(2026, 7, 1, 12, 30, 15, 250000)
_UTC = _NOON.replace(tzinfo=datetime.UTC)
_F8 = np.arange(6, dtype="f8").reshape(2, 3)
_RECORDS = np.array([(1, "a", (0.5, 1.5)), (2, "b", (2.5, 3.5))], [("id", "i4"), ("name", "U3"), ("box", "f4", (2,))])
_MASKED = np.ma.masked_array([1.0, 2.0, 3.0], [False, True, False])
_MASKED_RECORDS = np.ma.masked_array([(1, 2.0), (3, 4.0)], [(False, True), (True, True)], [("a", "i4"), ("b", "f8")])
_NS = "2026-07-01T12:00:00.000000001"

KINDS = [
    structured("none", None, None),
    structured("bool", True, True),
    structured("int", -7, -7),
    structured("int over 2**53", 2**53 + 1, 2**53 + 1),
    structured("int over 2**64", 2**64, 2**64, NOT),
    structured("int under -2**63", {"n": [-(2**63) - 1]}, {"n": [-(2**63) - 1]}, NOT),
    structured("float", 0.1, 0.1),
    structured("nan and infinity", [math.nan, math.inf, -math.inf], [None] * 3, [math.nan, math.inf, -math.inf]),
    structured("enums", [Colour.RED, Level.HIGH, Word.YES], ["red", 3, "yes"]),
    structured(
        "date and time", [_NOON.date(), _NOON.time(), _NOON], ["2026-07-01", "12:30:15.250000", _NOON.isoformat()]
    ),
    structured("aware datetime", [_UTC], ["2026-07-01T12:30:15.250000Z"], [_UTC]),
    structured("timedelta", [datetime.timedelta(days=1, seconds=2)], ["P1DT2S"]),
    structured(
        "uuid, decimal, path",
        [uuid.UUID(int=5), decimal.Decimal("1.50"), pathlib.PurePosixPath("a/b")],
        ["00000000-0000-0000-0000-000000000005", "1.50", "a/b"],
    ),
    structured(
        "list, tuple, deque, range",
        [[1], (2,), deque([3]), range(4, 5), {6}, frozenset({7})],
        [[1], [2], [3], [4], [6], [7]],
    ),
    structured("named tuple", Point(1, 2.5), [1, 2.5]),
    structured("dicts", [OrderedDict(a=1), UserDict(b=2)], [{"a": 1}, {"b": 2}]),
    structured("subclasses", [Text("é")], ["é"]),
    structured(
        "bytes inside",
        {"a": b"\x00\xff", "b": bytearray(b"x")},
        {"a": "AP8=", "b": "eA=="},
        {"a": b"\0\xff", "b": b"x"},
    ),
    structured(
        "dataclass",
        Outer(Inner(np.float32(0.5)), np.array([[1, 2]], "u1")),
        {"inner": {"score": 0.5}, "raw": [[1, 2]]},
        {"inner": {"score": 0.5}, "raw": packed(np.array([[1, 2]], "u1"))},
    ),
    structured("attrs", Attributes(3), {"count": 3}),
    structured("struct", Tagged(5), {"type": "cat", "longName": 5}),
    structured(
        "numpy scalars",
        [np.str_("s"), np.bool_(True), np.int8(-1), np.uint64(2**64 - 1), np.float16(0.5), np.float64(0.1)],
        ["s", True, -1, 2**64 - 1, 0.5, 0.1],
    ),
    structured("numpy bytes and void", [np.bytes_(b"b"), np.void(b"\0v")], ["Yg==", "AHY="], [b"b", b"\0v"]),
    structured("longdouble", np.longdouble(0.5), 0.5),
    structured(
        "numpy dates",
        [np.datetime64(_NS), np.datetime64("2026-07"), np.datetime64("NaT"), np.timedelta64(-3, "M")],
        [_NS, "2026-07", None, "-P3M"],
    ),
    structured("masked scalar inside", [np.ma.masked], [None]),
    structured("numpy record", _RECORDS[0], {"id": 1, "name": "a", "box": [0.5, 1.5]}),
    structured("int keys", {1: "a", np.int64(2): "b"}, {"1": "a", "2": "b"}, {1: "a", 2: "b"}),
    structured(
        "other keys",
        {None: 0, True: 1, 1.5: 2, Colour.RED: 3, _NOON.date(): 4, np.str_("s"): 5, np.bool_(False): 6},
        {"null": 0, "true": 1, "1.5": 2, "red": 3, "2026-07-01": 4, "s": 5, "false": 6},
        {None: 0, True: 1, 1.5: 2, "red": 3, "2026-07-01": 4, "s": 5, False: 6},
    ),
    structured("tuple keys", {"pairs": {(1, "a"): 2}}, NOT, {"pairs": {(1, "a"): 2}}),
    structured("keys of one text", {1: "a", "1": "b"}, NOT, {1: "a", "1": "b"}),
    Kind("text", "é", {JSON: "é", TEXT: "é", MSGPACK: "é"}),
    Kind("numpy text", np.str_("s"), {JSON: "s", TEXT: "s", MSGPACK: "s"}),
    Kind("enum of text", Word.YES, {JSON: "yes", TEXT: "yes", MSGPACK: "yes"}),
    Kind("bytes", b"\x00\xff", {OCTETS: b"\x00\xff", JSON: "AP8=", MSGPACK: b"\x00\xff"}),
    Kind("memoryview with gaps", memoryview(b"a-b-")[::2], {OCTETS: b"ab", JSON: "YWI=", MSGPACK: b"ab"}),
    Kind("numpy bytes", np.bytes_(b"ab"), {OCTETS: b"ab", JSON: "YWI=", MSGPACK: b"ab"}),
    plain_array("float64", _F8, [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]),
    plain_array("transposed", _F8.T, [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]),
    plain_array("negative strides", np.arange(3)[::-1], [2, 1, 0]),
    plain_array("big-endian", np.array([1, 2], ">i2"), [1, 2]),
    plain_array("float16 with nan", np.array([0.5, np.nan, np.inf], "f2"), [0.5, None, None]),
    plain_array("bool", np.array([True, False]), [True, False]),
    plain_array("no dimensions", np.array(3.5), 3.5),
    plain_array("empty", np.zeros((2, 0), "f4"), [[], []]),
    plain_array("matrix", np.array([[1, 2]], "i2").view(np.matrix), [[1, 2]]),
    other_array("longdouble array", np.array([0.5, np.nan], "g"), [0.5, None], in_msgpack=[0.5, math.nan]),
    other_array("text array", np.array([["a", "é"]]), [["a", "é"]]),
    other_array("bytes array", np.array([b"a"]), ["YQ=="], in_msgpack=[b"a"]),
    other_array("strings of numpy 2", np.array(["a", "bc"], np.dtypes.StringDType()), ["a", "bc"], NOT),
    other_array("void array", np.array([b"\0v"], "V2"), ["AHY="], in_msgpack=[b"\0v"]),
    other_array("nanoseconds", np.array([_NS, "NaT"], "M8[ns]"), [_NS, None]),
    other_array("months", np.array(["2026-07"], "M8[M]"), ["2026-07"]),
    other_array("durations", np.array([1, "NaT"], "m8[ns]"), ["PT0.000000001S", None]),
    other_array("objects", np.array([1, "a", None, {"b": (2,)}], object), [1, "a", None, {"b": [2]}], NOT),
    other_array(
        "records", _RECORDS, [{"id": 1, "name": "a", "box": [0.5, 1.5]}, {"id": 2, "name": "b", "box": [2.5, 3.5]}]
    ),
    other_array("records of two dimensions", np.zeros((1, 2), [("a", "i1")]), [[{"a": 0}, {"a": 0}]]),
    other_array("complex", np.array([1 + 2j]), NOT),
    other_array(
        "masked floats",
        _MASKED,
        [1.0, None, 3.0],
        np.array([1.0, np.nan, 3.0]),
        raw=np.array([1.0, np.nan, 3.0]).tobytes(),
    ),
    other_array("masked ints", np.ma.masked_array([1, 2], [True, False]), [None, 2], NOT),
    other_array(
        "masked dates", np.ma.masked_array(np.array(["2026", "2027"], "M8[Y]"), [True, False]), [None, "2027"], NOT
    ),
    other_array("masked records", _MASKED_RECORDS, [{"a": 1, "b": None}, {"a": None, "b": None}], NOT),
    other_array("masked", np.ma.masked, None, np.array(np.nan), raw=np.array(np.nan).tobytes()),
    picture("picture", Image.from_pil(PIL.Image.new("RGBA", (5, 4))), (5, 4)),
    picture("picture of Pillow", PIL.Image.new("L", (5, 4)), (5, 4)),
    picture("picture of a file", Image(JPEG_FILE), (6, 4)),
    picture("picture over WebP's limit", PIL.Image.new("L", (16_384, 1)), (16_384, 1), (WEBP,)),
    picture("picture over JPEG's limit", PIL.Image.new("1", (1, 65_501)), (1, 65_501), (JPEG, WEBP)),
]
