"""From requests to arguments: every form of every kind, and a clear InputError for all else."""

from __future__ import annotations

import base64
import dataclasses
import datetime
import enum
import io
import uuid
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from urllib.parse import urlencode

import httpx
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn import Image, InputError, tensor
from edgefn.codec.request.signature import Request, Signature
from edgefn.errors import UnsupportedMediaType

JSON = "application/json"
MSGPACK = "application/msgpack"
FORM = "application/x-www-form-urlencoded"
OCTETS = "application/octet-stream"
NPY = "application/x-npy"

Encode = Callable[..., bytes]


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Box(msgspec.Struct):
    width: int
    height: int = 3


@dataclasses.dataclass
class Point:
    x: float
    y: float = 0.0


class Tags(TypedDict):
    tags: list[str]


class Pair(NamedTuple):
    left: int
    right: int


class Album(msgspec.Struct):
    cover: Image
    thumb: bytes = b""


def echo(n: int) -> None: ...
def image(image: Image) -> None: ...
def top(image: Image, top: int = 5) -> None: ...
def maybe(image: Image | None = None) -> None: ...
def rows(x: Annotated[np.ndarray, tensor("float32", "n", 4)]) -> None: ...
def pairs(a: Annotated[np.ndarray, tensor("float32", "n")], b: Annotated[np.ndarray, tensor("int64", "n")]) -> None: ...
def greet(name: str) -> None: ...
def short(name: Annotated[str, msgspec.Meta(max_length=3)]) -> None: ...
def blob(data: bytes) -> None: ...
def box(box: Box) -> None: ...
def numbers(xs: list[float]) -> None: ...
def anything(value: Any) -> None: ...
def scalars(
    a: int, b: float = 1.0, c: bool = False, d: Literal["x", "y"] = "x", e: Colour = Colour.RED, f: int | None = None
) -> None: ...
def times(when: datetime.datetime, who: uuid.UUID, for_: datetime.timedelta = datetime.timedelta()) -> None: ...
def mixed(
    box: Box, image: Image | None = None, raw: bytes = b"", points: list[Point] | None = None, note: str = ""
) -> None: ...
def album(album: Album) -> None: ...
def shapes(pair: Pair, tags: Tags, by_name: dict[str, int], any_: Any = None) -> None: ...
def nothing() -> None: ...
def pictures(images: list[Image], n: int | None = None, data: list[bytes] | None = None) -> None: ...
def nested(album: Album, boxes: dict[str, list[Box]] | None = None) -> None: ...
def words(xs: set[str] | None = None, ys: tuple[int, ...] = (), on: bool = False) -> None: ...


HANDLERS = (
    echo, image, top, maybe, rows, pairs, greet, short, blob, box, numbers, anything, scalars, times, mixed, album,
    shapes, nothing, pictures, nested, words,
)  # fmt: skip
SIGNATURES = {handler.__name__: Signature.of(handler) for handler in HANDLERS}


def decode(handler: Callable[..., None], content_type: str, body: bytes | str = b"", query: str = "") -> dict[str, Any]:
    data = body.encode() if isinstance(body, str) else body
    return SIGNATURES[handler.__name__].decode(Request(content_type, data, query))


def refused(handler: Callable[..., None], content_type: str, body: bytes | str = b"", query: str = "") -> InputError:
    with pytest.raises(InputError) as caught:
        decode(handler, content_type, body, query)
    return caught.value


def _npy(array: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _multipart(**files: Any) -> tuple[str, bytes]:
    boundary = {
        "content-type": "multipart/form-data; boundary=b0undary"
    }  # a random one would name the test anew each run
    request = httpx.Request("POST", "http://box", files=files, headers=boundary)
    return request.headers["content-type"], request.read()


@pytest.mark.parametrize(
    ("handler", "content_type", "body", "query", "expected"),
    [
        (echo, JSON, '{"n": 1}', "", {"n": 1}),
        (echo, "application/json; charset=utf-8", '{"n": 1}', "", {"n": 1}),
        (echo, "application/vnd.api+json", '{"n": 1}', "", {"n": 1}),
        (echo, MSGPACK, msgspec.msgpack.encode({"n": 1}), "", {"n": 1}),
        (echo, "application/x-msgpack", msgspec.msgpack.encode({"n": 1}), "", {"n": 1}),
        (echo, FORM, "n=1", "", {"n": 1}),
        (echo, FORM, '{"n": 1}', "", {"n": 1}),
        (echo, "", '{"n": 1}', "", {"n": 1}),
        (echo, "", "", "n=1", {"n": 1}),
        (echo, JSON, "", "n=1", {"n": 1}),
        (greet, "text/plain", "Zoë", "", {"name": "Zoë"}),
        (greet, "text/markdown; charset=UTF-8", "# x", "", {"name": "# x"}),
        (greet, JSON, '"Zo\\u00eb"', "", {"name": "Zoë"}),
        (greet, JSON, '{"name": "Zoë"}', "", {"name": "Zoë"}),
        (greet, MSGPACK, msgspec.msgpack.encode({"name": "a"}), "", {"name": "a"}),
        (greet, MSGPACK, msgspec.msgpack.encode("a"), "", {"name": "a"}),
        (greet, FORM, "name=Zo%C3%AB+B", "", {"name": "Zoë B"}),
        (greet, FORM, "hello there", "", {"name": "hello there"}),
        (greet, "", "hello", "", {"name": "hello"}),
        (greet, "", "", "name=Zo%C3%AB", {"name": "Zoë"}),
        (greet, "text/plain", "", "", {"name": ""}),
        (short, "text/plain", "abc", "", {"name": "abc"}),
        (blob, OCTETS, b"\x00\xff", "", {"data": b"\x00\xff"}),
        (blob, JSON, '{"verbatim": true}', "", {"data": b'{"verbatim": true}'}),
        (blob, "video/mp4", b"\x00", "", {"data": b"\x00"}),
        (blob, FORM, b"\x00\x01=&", "", {"data": b"\x00\x01=&"}),
        (blob, FORM, "data=AAE%3D", "", {"data": b"\x00\x01"}),
        (blob, "", b"", "", {"data": b""}),
        (blob, "", b"", "data=AAE=", {"data": b"\x00\x01"}),
        (box, JSON, '{"width": 1}', "", {"box": Box(1)}),
        (box, FORM, "width=1&height=2", "", {"box": Box(1, 2)}),
        (box, FORM, '{"width": 1}', "", {"box": Box(1)}),
        (box, FORM, 'box={"width": 1}', "", {"box": Box(1)}),
        (box, "", "", "width=1", {"box": Box(1)}),
        (numbers, JSON, "[1, 2.5]", "", {"xs": [1.0, 2.5]}),
        (numbers, "", "", "xs=[1,2]", {"xs": [1.0, 2.0]}),
        (anything, JSON, '[1, {"a": null}]', "", {"value": [1, {"a": None}]}),
        (scalars, JSON, '{"a": 1, "e": "blue", "f": null}', "", {"a": 1, "e": Colour.BLUE, "f": None}),
        (scalars, JSON, '{"a": 1, "b": 2}', "", {"a": 1, "b": 2.0}),
        (scalars, "", "", "a=1&b=0.5&c=true&d=y&e=blue", {"a": 1, "b": 0.5, "c": True, "d": "y", "e": Colour.BLUE}),
        (scalars, FORM, "a=-1&c=0&f=7", "", {"a": -1, "c": False, "f": 7}),
        (scalars, JSON, '{"a": 1}', "b=2", {"a": 1, "b": 2.0}),
        (
            times,
            "",
            "",
            "when=2026-01-02T03:04:05Z&who=00000000-0000-0000-0000-000000000001&for_=PT1M",
            {
                "when": datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC),
                "who": uuid.UUID(int=1),
                "for_": datetime.timedelta(minutes=1),
            },
        ),
        (
            mixed,
            JSON,
            '{"box": {"width": 1}, "image": null, "raw": "AAE=", "points": [{"x": 1}], "note": "é"}',
            "",
            {"box": Box(1), "image": None, "raw": b"\x00\x01", "points": [Point(1.0)], "note": "é"},
        ),
        (
            shapes,
            JSON,
            '{"pair": [1, 2], "tags": {"tags": ["a"]}, "by_name": {"a": 1}}',
            "",
            {"pair": Pair(1, 2), "tags": {"tags": ["a"]}, "by_name": {"a": 1}},
        ),
        (nothing, "", "", "", {}),
        (nothing, JSON, "{}", "", {}),
        (maybe, "", "", "", {}),
        (maybe, JSON, "null", "", {"image": None}),
    ],
)
def test_values_are_read(
    handler: Callable[..., None], content_type: str, body: bytes | str, query: str, expected: dict[str, Any]
) -> None:
    """Each form of the module's docstring; what the request does not give is left to the handler's default."""
    assert decode(handler, content_type, body, query) == expected


@pytest.mark.parametrize("content_type", ["image/jpeg", "image/png", OCTETS, "", FORM])
def test_an_image_is_the_body(encoded: Encode, content_type: str) -> None:
    """Under its type, a wrong image type, none, or curl's default; beside it, a query gives scalars."""
    read = decode(top, content_type, encoded("JPEG", 40, 30), "top=3")
    assert (read["image"].size, read["top"]) == ((40, 30), 3)
    assert decode(image, content_type, encoded("JPEG", 40, 30))["image"].size == (40, 30)


def test_an_image_is_a_member_a_file_or_a_field(encoded: Encode) -> None:
    """Base64 or a data: URL in JSON, bytes in msgpack, a file or base64 in a form; alone or among others."""
    data = encoded("PNG", 40, 30)
    text = base64.b64encode(data).decode()
    msgpack = msgspec.msgpack.encode
    for handler in (image, top):
        for content_type, body in (
            (JSON, msgspec.json.encode({"image": text})),
            (JSON, msgspec.json.encode({"image": f"data:image/png;base64,{text}"})),
            (MSGPACK, msgpack({"image": data})),
            _multipart(image=("cat.png", data, "image/png")),
            _multipart(image=("cat.png", data)),
            _multipart(image=(None, text)),
            (FORM, b"image=" + text.encode().replace(b"+", b"%2B").replace(b"=", b"%3D")),
        ):
            assert decode(handler, content_type, body)["image"].size == (40, 30)
    assert decode(image, JSON, msgspec.json.encode(text))["image"].size == (40, 30)
    assert decode(image, MSGPACK, msgpack(data))["image"].size == (40, 30)
    nested = decode(album, JSON, msgspec.json.encode({"cover": text, "thumb": "AAE="}))["album"]
    assert (nested.cover.size, nested.thumb) == ((40, 30), b"\x00\x01")


def test_a_truncated_image_names_its_field_when_it_is_looked_at(encoded: Encode) -> None:
    """The header was whole, so decoding accepts it; the handler's own look raises InputError with the field."""
    given_image = decode(image, "image/jpeg", encoded("JPEG", 200, 200)[:-500])["image"]
    with pytest.raises(InputError, match=r"^image: is a truncated") as caught:
        given_image.array()
    assert caught.value.field == "image"


FOUR = np.arange(8, dtype=np.float32).reshape(2, 4)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (NPY, _npy(FOUR)),
        (OCTETS, _npy(FOUR)),
        (NPY, _npy(FOUR.astype(">f4"))),
        (OCTETS, FOUR.tobytes()),
        ("", FOUR.tobytes()),
        (FORM, FOUR.tobytes()),
        (JSON, msgspec.json.encode(FOUR.tolist())),
        (FORM, msgspec.json.encode(FOUR.tolist())),
        (JSON, msgspec.json.encode({"x": FOUR.tolist()})),
        (JSON, msgspec.json.encode({"dtype": "float32", "shape": [2, 4], "data": FOUR.tobytes()})),
        (MSGPACK, msgspec.msgpack.encode({"dtype": "float32", "shape": [2, 4], "data": FOUR.tobytes()})),
        (MSGPACK, msgspec.msgpack.encode({"x": {"dtype": "float32", "shape": [2, 4], "data": FOUR.tobytes()}})),
        (MSGPACK, msgspec.msgpack.encode(FOUR.tolist())),
        _multipart(x=("x.npy", _npy(FOUR))),
        _multipart(x=("x.bin", FOUR.tobytes())),
        _multipart(x=(None, msgspec.json.encode(FOUR.tolist()))),
    ],
)
def test_a_tensor_is_read(content_type: str, body: bytes) -> None:
    """Every wire form gives the same array, writable and of native byte order."""
    array = decode(rows, content_type, body)["x"]
    np.testing.assert_array_equal(array, FOUR, strict=True)
    assert array.flags.writeable


def test_dimensions_bind_across_parameters() -> None:
    """n is one length in a request, and any length in the next."""
    for count in (2, 3):
        read = decode(pairs, JSON, msgspec.json.encode({"a": [1.0] * count, "b": [1] * count}))
        assert read["a"].shape == read["b"].shape == (count,)
    error = refused(pairs, JSON, '{"a": [1, 2], "b": [1, 2, 3]}')
    assert str(error) == "b: has int64[3], needs int64[n] with n = 2"


def test_many_parameters_as_multipart(encoded: Encode) -> None:
    """Files for images and bytes, JSON for structs and lists, text for str."""
    content_type, body = _multipart(
        box=(None, '{"width": 1}'),
        image=("a.jpg", encoded(), "image/jpeg"),
        raw=("r.bin", b"\x00\x01"),
        points=(None, '[{"x": 1, "y": 2}]', "application/json"),
        note=(None, "é"),
    )
    read = decode(mixed, content_type, body)
    assert read.pop("image").size == (64, 48)
    assert read == {"box": Box(1), "raw": b"\x00\x01", "points": [Point(1.0, 2.0)], "note": "é"}


@pytest.mark.parametrize(
    ("handler", "content_type", "body", "query", "field", "message"),
    [
        (echo, JSON, '{"n": "1"}', "", "n", "Expected `int`, got `str`"),
        (echo, JSON, '{"n": 1.5}', "", "n", "Expected `int`, got `float`"),
        (echo, JSON, '{"n": true}', "", "n", "Expected `int`, got `bool`"),
        (echo, JSON, "{}", "", "n", "is missing; send an object of n as application/json"),
        (echo, JSON, "", "", "n", "is missing"),
        (echo, JSON, '{"m": 1}', "", "m", "is unknown; use one of n"),
        (scalars, JSON, '{"a": 1, "bb": 1}', "", "bb", 'is unknown; did you mean "b"?'),
        (scalars, JSON, '{"a": 1,}', "", "a", "JSON is malformed: trailing comma in object"),
        (scalars, JSON, "{'a': 1}", "", "", "JSON is malformed: object keys must be strings"),
        (scalars, JSON, "{}", "", "a", "is missing"),
        (mixed, FORM, "width=1&note=hi", "", "width", "is unknown"),
        (echo, JSON, "[1]", "", "n", "Expected `int`, got `array`"),
        (echo, JSON, '{"n": 1', "", "", "truncated"),
        (echo, JSON, b"\xff", "", "n", "JSON is malformed"),
        (echo, JSON, b'{"\xff": 1}', "", "", "is not UTF-8 (byte 0)"),
        (echo, JSON, '{"n": 1} 2', "", "", "trailing characters"),
        (echo, JSON, '{"n": NaN}', "", "n", "JSON is malformed"),
        (echo, MSGPACK, b"\xc1", "", "n", "malformed"),
        (echo, "", "", "n=1.5", "n", "expected an int, got '1.5'"),
        (echo, "", "", "n=1&n=2", "n", "is given twice"),
        (echo, "", "", "m=1", "m", "is unknown"),
        (echo, JSON, '{"n": 1}', "n=2", "n", "is given in the query and in the body"),
        (echo, "", "", "n=%ff", "", "not urlencoded UTF-8"),
        (scalars, "", "", "a=1&b=nan", "b", "text cannot represent nan"),
        (scalars, "", "", "a=1&b=-Infinity", "b", "cannot represent -inf"),
        (scalars, JSON, '{"a": 1, "b": 1e999}', "", "b", "out of range"),
        (scalars, JSON, '{"a": 1, "d": "z"}', "", "d", "Invalid enum value 'z'"),
        (box, JSON, '{"width": "1"}', "", "box.width", "Expected `int`, got `str`"),
        (box, JSON, "{}", "", "box.width", "is missing"),
        (box, FORM, "width=a", "", "box.width", "expected an int, got 'a'"),
        (box, JSON, '{"width": 1}', "height=2", "height", "is unknown"),
        (mixed, JSON, '{"box": {"width": null}}', "", "box.width", "Expected `int`, got `null`"),
        (mixed, JSON, '{"box": {"width": 1}, "points": [{"x": 1}, {}]}', "", "points[1].x", "is missing"),
        (
            mixed,
            JSON,
            '{"box": {"width": 1}, "image": "AAAA"}',
            "",
            "image",
            "is not a supported image: 3 bytes",
        ),
        (mixed, JSON, '{"box": {"width": 1}, "image": "é"}', "", "image", "is not base64"),
        (mixed, JSON, '{"box": {"width": 1}, "image": 3}', "", "image", "Expected an image"),
        (mixed, JSON, '{"box": {"width": 1}, "raw": "A"}', "", "raw", "is not base64"),
        (album, JSON, '{"cover": "AAAA"}', "", "album.cover", "is not a supported image"),
        (rows, JSON, "[[1, 2, 3]]", "", "x", "has float32[1, 3], needs float32[n, 4]"),
        (rows, JSON, '[[1, 2, "3", 4]]', "", "x[0][2]", "Expected `float`, got `str`"),
        (rows, JSON, "[[1, 2, null, 4]]", "", "x[0][2]", "Expected `float`, got `null`"),
        (rows, JSON, '{"x": [1]}', "", "x[0]", "Expected `array`, got `int`"),
        (rows, NPY, _npy(FOUR.astype("f8")), "", "x", "has float64[2, 4], needs float32[n, 4]"),
        (rows, OCTETS, b"12345", "", "x", "has 5 bytes, which is not a whole number of float32 values"),
        (rows, MSGPACK, msgspec.msgpack.encode({"dtype": "f4", "shape": [1], "data": b""}), "", "x", "has dtype 'f4'"),
        (image, "image/jpeg", b"\xff\xd8", "", "image", "is not a supported image: 2 bytes that begin ff d8"),
        (image, "image/jpeg", b"", "", "image", "is missing; send image/jpeg or image/png or"),
        (greet, "text/plain", b"\xff", "", "name", "is not UTF-8 (byte 0)"),
        (greet, "text/plain; charset=latin-1", b"\xe9", "", "name", "is sent as latin-1; send UTF-8"),
        (short, "text/plain", "abcd", "", "name", "length <= 3"),
        (blob, "", "", "data=A", "data", "is not base64"),
        (nothing, JSON, '{"a": 1}', "", "a", "is unknown"),
        (anything, JSON, "[" * 100_000, "", "value", "nested too deeply"),
        (echo, JSON, '{"' + "x" * 10_000 + '": 1}', "", "x" * 200 + "…", "is unknown"),
        (echo, "multipart/form-data", "x", "", "", "has no boundary"),
    ],
)
def test_what_does_not_fit_is_named(
    handler: Callable[..., None], content_type: str, body: bytes | str, query: str, field: str, message: str
) -> None:
    """The field's path, and what is wrong with it; the message begins with the path."""
    error = refused(handler, content_type, body, query)
    assert error.field == field
    assert message in str(error)
    assert str(error).startswith(field)
    assert len(str(error)) < 700
    assert type(error) is InputError


@pytest.mark.parametrize(
    ("handler", "content_type", "message"),
    [
        (
            echo,
            "image/png",
            "'image/png' cannot be read; send an object of n as application/json or application/msgpack",
        ),
        (echo, "text/plain", "'text/plain' cannot be read"),
        (box, OCTETS, "cannot be read; send application/json or application/msgpack"),
        (image, "text/plain", "send image/jpeg or image/png or application/octet-stream"),
        (rows, "image/png", "send application/x-npy or application/octet-stream or"),
        (greet, "image/png", "send text/plain; charset=utf-8 or application/json"),
        (pairs, OCTETS, "send an object of a, b as"),
        (top, "audio/wav", "or image as image/jpeg or"),
        (echo, "application/json; charset=utf-16", "sent as utf-16; send JSON as UTF-8"),
    ],
)
def test_other_content_types_are_unsupported(handler: Callable[..., None], content_type: str, message: str) -> None:
    """415, and the message says what can be sent."""
    error = refused(handler, content_type, b"\x00\x01")
    assert isinstance(error, UnsupportedMediaType)
    assert message in str(error)


def test_a_memoryview_is_a_body() -> None:
    """Frames hand over views; arguments never keep one alive."""
    read = SIGNATURES["blob"].decode(Request(OCTETS, memoryview(b"\x00\x01")))
    assert type(read["data"]) is bytes
    for handler, content_type, body in ((rows, OCTETS, FOUR.tobytes()), (greet, "", b"a"), (echo, FORM, b"n=1")):
        assert SIGNATURES[handler.__name__].decode(Request(content_type, memoryview(body)))


def test_nan_comes_by_binary_forms() -> None:
    """Raw, .npy and msgpack carry it; the arithmetic is the handler's."""
    nan = np.full((1, 4), np.nan, np.float32)
    for content_type, body in (
        (OCTETS, nan.tobytes()),
        (NPY, _npy(nan)),
        (MSGPACK, msgspec.msgpack.encode(nan.tolist())),
    ):
        assert np.isnan(decode(rows, content_type, body)["x"]).all()


CONTENT_TYPES = st.sampled_from(
    ["", JSON, MSGPACK, FORM, OCTETS, NPY, "text/plain", "image/png", "multipart/form-data; boundary=B"]
) | st.text(max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["n", "box", "x", "width", "dtype", "shape", "data"]) | st.text(), inner)
    ),
    max_leaves=12,
)
BODIES = (
    st.binary(max_size=200)
    | VALUES.map(msgspec.json.encode)
    | VALUES.filter(lambda v: not isinstance(v, int) or -(2**63) <= v < 2**64).map(
        lambda value: msgspec.json.encode(value).replace(b"null", b"NaN")
    )
    | st.binary(max_size=60).map(
        lambda data: b'--B\r\nContent-Disposition: form-data; name="n"\r\n\r\n' + data + b"\r\n--B--"
    )
    | st.binary(max_size=60).map(lambda data: b"\x89PNG\r\n\x1a\n" + data)
    | st.lists(st.tuples(st.sampled_from(["n", "xs", "xs[]", "on", "album", "submit"]), st.text(max_size=5))).map(
        lambda pairs: urlencode(pairs).encode()
    )
)
ENCODINGS = st.sampled_from(["", "", "", "gzip", "deflate", "br"])


@given(st.sampled_from(HANDLERS), CONTENT_TYPES, BODIES, st.just("") | st.text(max_size=20), ENCODINGS)
@settings(max_examples=800, deadline=None)
def test_anything_is_arguments_or_an_input_error(
    handler: Callable[..., None], content_type: str, body: bytes, query: str, encoding: str
) -> None:
    """Arbitrary bytes, JSON, forms and queries never raise anything but InputError, and name only real parameters."""
    signature = SIGNATURES[handler.__name__]
    try:
        arguments = signature.decode(Request(content_type, body, query, encoding, 1000))
    except InputError:
        return
    names = {spec.name for spec in signature.parameters}
    assert {spec.name for spec in signature.parameters if spec.required} <= arguments.keys() <= names


def long_text(text: Annotated[str, msgspec.Meta(min_length=2)]) -> None: ...
def long_bytes(data: Annotated[bytes, msgspec.Meta(min_length=2)]) -> None: ...
def short_text(text: str) -> None: ...
def short_bytes(data: bytes) -> None: ...


def test_an_empty_body_keeps_to_the_bounds() -> None:
    """It is an empty text, or no bytes, where these are allowed."""
    for handler in (long_text, long_bytes):
        with pytest.raises(InputError, match="length >= 2"):
            Signature.of(handler).decode(Request())
    assert Signature.of(short_text).decode(Request()) == {"text": ""}
    assert Signature.of(short_bytes).decode(Request()) == {"data": b""}


class Keyed(msgspec.Struct):
    data: bytes
    counts: dict[int, int]


def keyed(keyed: Keyed) -> None: ...


def test_keys_stay_what_they_are_beside_unpadded_base64() -> None:
    """Base64 that msgspec does not read takes another way through the document."""
    for text in ("aGk=", "aGk"):
        got = Signature.of(keyed).decode(
            Request("application/json", f'{{"data":"{text}","counts":{{"1":2}}}}'.encode())
        )
        assert got == {"keyed": Keyed(b"hi", {1: 2})}
