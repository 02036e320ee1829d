"""Which parameter a body is, keyed or bare: adding an optional parameter to a function serves its old clients."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import numpy as np
import pytest

from edgefn import Image, InputError, tensor
from edgefn.codec.request.signature import Request, Signature
from edgefn.errors import UnsupportedMediaType

JSON, MSGPACK, OCTETS, TEXT = "application/json", "application/msgpack", "application/octet-stream", "text/plain"
FORM = "application/x-www-form-urlencoded"


class Reading(msgspec.Struct):
    t: float
    place: str = ""


class Named(msgspec.Struct):
    x: float = 0.0


class Own(msgspec.Struct):
    """Has a member of its parameter's name."""

    own: float = 0.0


def decode(handler: Any, content_type: str, body: bytes, query: str = "") -> dict[str, Any]:
    """The arguments of a request."""
    return Signature.of(handler).decode(Request(content_type, body, query))


# ── before and after an optional parameter is added ──────────────────────────────────────────────────────────────


def reading_1(reading: Reading) -> None: ...
def reading_2(reading: Reading, unit: str = "C") -> None: ...
def t_1(t: int) -> None: ...
def t_2(t: int, unit: str = "C") -> None: ...
def xs_1(xs: list[float]) -> None: ...
def xs_2(xs: list[float], scale: float = 1.0, note: str = "") -> None: ...
def data_1(data: dict[str, Any]) -> None: ...
def data_2(data: dict[str, Any], unit: str = "C") -> None: ...
def image_1(image: Image) -> None: ...
def image_2(image: Image, caption: str = "", mask: Image | None = None) -> None: ...
def raw_1(raw: bytes) -> None: ...
def raw_2(raw: bytes, name: str = "") -> None: ...
def text_1(text: str) -> None: ...
def text_2(text: str, language: str = "en") -> None: ...
def x_1(x: Annotated[np.ndarray, tensor("float32", "n")]) -> None: ...
def x_2(x: Annotated[np.ndarray, tensor("float32", "n")], note: str = "") -> None: ...


NUMBERS = np.arange(3, dtype=np.float32)
MULTIPART = "multipart/form-data; boundary=b"
FORM_DATA = b'--b\r\nContent-Disposition: form-data; name="t"\r\n\r\n3\r\n--b--\r\n'
OLD_REQUESTS = [
    (reading_1, reading_2, JSON, b'{"t": 3, "place": "a"}'),
    (reading_1, reading_2, JSON, b'{"reading": {"t": 3}}'),
    (reading_1, reading_2, MSGPACK, msgspec.msgpack.encode({"t": 3})),
    (reading_1, reading_2, "", b'{"t": 3}'),
    (reading_1, reading_2, FORM, b'{"t": 3}'),
    (reading_1, reading_2, TEXT, b'{"t": 3}'),
    (reading_1, reading_2, FORM, b"t=3&place=a"),
    (reading_1, reading_2, FORM, b"t=3&place=a&submit=Send"),
    (data_1, data_2, FORM, b"a=1&b=2"),
    (t_1, t_2, JSON, b"3"),
    (t_1, t_2, JSON, b'{"t": 3}'),
    (t_1, t_2, FORM, b"t=3"),
    (xs_1, xs_2, JSON, b"[1, 2]"),
    (xs_1, xs_2, JSON, b'{"xs": [1, 2]}'),
    (xs_1, xs_2, FORM, b"xs=1&xs=2"),
    (data_1, data_2, JSON, b'{"a": 1, "b": {}}'),
    (raw_1, raw_2, OCTETS, b"\x00\x01"),
    (raw_1, raw_2, "video/mp4", b"\x00\x01"),
    (raw_1, raw_2, JSON, b'"AAE="'),
    (raw_1, raw_2, JSON, b'{"raw": "AAE="}'),
    (raw_1, raw_2, JSON, b'{"a": 1}'),
    (raw_1, raw_2, JSON, b"{}"),
    (text_1, text_2, TEXT, b"hello"),
    (text_1, text_2, JSON, b'"hello"'),
    (text_1, text_2, JSON, b'{"text": "hello"}'),
    (raw_1, raw_2, "", b""),
    (text_1, text_2, TEXT, b""),
    (reading_1, reading_2, FORM, b"t=3&place=a"),
    (reading_1, reading_2, FORM, b'reading={"t": 3}'),
    (reading_1, reading_2, MULTIPART, FORM_DATA),
    (data_1, data_2, FORM, b"a=1&b=2"),
    (data_1, data_2, MULTIPART, FORM_DATA),
    (x_1, x_2, OCTETS, NUMBERS.tobytes()),
    (x_1, x_2, JSON, b"[0, 1, 2]"),
    (x_1, x_2, JSON, b'{"x": [0, 1, 2]}'),
]


@pytest.mark.parametrize(("old", "new", "content_type", "body"), OLD_REQUESTS)
def test_a_new_optional_parameter_serves_old_clients(old: Any, new: Any, content_type: str, body: bytes) -> None:
    """What the function with one parameter reads, the one with an optional beside it reads as the same."""
    before, after = decode(old, content_type, body), decode(new, content_type, body)
    assert before.keys() == after.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name], value)


def test_old_queries_and_forms_of_a_struct_are_served(encoded: Any) -> None:
    """Its members as a query or as FormData, with the new parameter beside it or without."""
    assert decode(reading_2, "", b"", "t=3&place=a") == decode(reading_1, "", b"", "t=3&place=a")
    for old in (b'Content-Disposition: form-data; name="t"\r\n\r\n3',):
        body = b"--B\r\n" + old + b"\r\n--B--\r\n"
        assert decode(reading_2, "multipart/form-data; boundary=B", body) == {"reading": Reading(3)}
    assert decode(reading_2, FORM, b"reading=%7B%22t%22%3A3%7D&unit=K") == {"reading": Reading(3), "unit": "K"}
    with pytest.raises(InputError) as caught:
        decode(reading_2, FORM, b"t=3&unti=K")
    assert caught.value.field == "t"


@pytest.mark.parametrize("body", [b'{"t": 3,}', b"{'t': 3}", b'{"t" 3}'])
def test_a_malformed_object_is_called_malformed(body: bytes) -> None:
    """Not a number that is an object, nor base64 that is none."""
    for handler in (t_1, t_2, reading_1, reading_2, image_2, data_2, raw_2):
        with pytest.raises(InputError, match=r"malformed|is unknown; use one of"):
            decode(handler, JSON, body)


def test_fields_are_members_also_in_a_query_and_never_beside_parameters() -> None:
    """As of an object: fields of a value's members are the value, and what names a parameter is read by names."""
    assert decode(reading_2, "", b"", "t=3") == decode(reading_1, "", b"", "t=3") == {"reading": Reading(3.0)}
    assert decode(reading_2, FORM, b"t=3", "unit=K") == {"reading": Reading(3.0), "unit": "K"}
    for content_type, body in ((FORM, b"t=3&unit=K"), (JSON, b'{"t": 3, "unit": "K"}')):
        with pytest.raises(InputError, match=r"^t: is unknown"):
            decode(reading_2, content_type, body)
    with pytest.raises(InputError, match=r"^t: is unknown"):
        decode(data_2, FORM, b"t=3&unit=K")


@pytest.mark.parametrize("content_type", ["image/png", OCTETS, "", FORM, "binary/octet-stream", "*/*", TEXT])
def test_an_optional_beside_an_image_does_not_compete(encoded: Any, content_type: str) -> None:
    """A picture is the picture's, whatever its sender calls it, and the query gives the rest."""
    picture = encoded("PNG", 4, 3)
    for handler, query in ((image_1, ""), (image_2, ""), (image_2, "caption=a")):
        found = decode(handler, content_type, picture, query)
        assert found.pop("image").size == (4, 3)
        assert found == ({"caption": "a"} if query else {})


def test_what_stands_in_the_query_does_not_compete(encoded: Any) -> None:
    """Both are required: the one that the query does not give is the body."""

    def both(image: Image, caption: str) -> None: ...
    def numbers(a: int, b: int) -> None: ...
    def texts(a: str, b: str) -> None: ...

    assert decode(both, "image/png", encoded("PNG", 4, 3), "caption=a")["caption"] == "a"
    given = "image=" + quote(base64.b64encode(encoded("PNG", 4, 3)).decode(), safe="")
    assert decode(both, TEXT, b"hello", given)["caption"] == "hello"
    assert decode(numbers, JSON, b"2", "a=1") == {"a": 1, "b": 2}
    assert decode(texts, TEXT, b"x", "b=y") == {"a": "x", "b": "y"}
    with pytest.raises(InputError, match="caption: is missing"):
        decode(both, "image/png", encoded("PNG", 4, 3))
    with pytest.raises(UnsupportedMediaType):
        decode(texts, "application/pdf", b"x")


# ── keyed and bare ───────────────────────────────────────────────────────────────────────────────────────────────


def own(own: Own) -> None: ...
def any_(value: Any) -> None: ...
def maybe(reading: Reading | None = None) -> None: ...
def data(data: Annotated[np.ndarray, tensor("float32", "n")]) -> None: ...


@pytest.mark.parametrize(
    ("handler", "body", "expected"),
    [
        (reading_1, {"reading": {"t": 1}}, {"reading": Reading(1)}),
        (reading_1, {"t": 1}, {"reading": Reading(1)}),
        (maybe, {"reading": None}, {"reading": None}),
        (maybe, None, {"reading": None}),
        (t_1, {"t": 1}, {"t": 1}),
        (xs_1, {"xs": [1]}, {"xs": [1.0]}),
        (own, {"own": 1}, {"own": Own(1)}),  # where both could be meant, the value is
        (any_, {"value": 1}, {"value": {"value": 1}}),
        (data_1, {"data": {"a": 1}}, {"data": {"data": {"a": 1}}}),
        (data_2, {"data": {"a": 1}}, {"data": {"a": 1}}),
        (data_2, {"data": {"a": 1}, "unit": "K"}, {"data": {"a": 1}, "unit": "K"}),
        (data, {"data": [1.0]}, {"data": np.ones(1, np.float32)}),
        (data, {"dtype": "float32", "shape": [1], "data": NUMBERS[1:2].tobytes()}, {"data": np.ones(1, np.float32)}),
        (raw_1, {"a": 1}, {"raw": b'{"a":1}'}),
    ],
)
def test_a_document_is_keyed_or_bare(handler: Any, body: Any, expected: dict[str, Any]) -> None:
    """By its names, where these tell; an object that a parameter takes itself is its value."""
    assert decode(handler, JSON, msgspec.json.encode(body)) == expected


@pytest.mark.parametrize(
    ("handler", "body", "field"),
    [
        (reading_2, {"unit": "K"}, "reading"),
        (reading_2, {"reading": {"t": 1}, "unti": "K"}, "unti"),
        (reading_2, {"t": 1, "plac": "a"}, "reading.plac"),
        (data_2, {"unit": "K", "a": 1}, "a"),
        (data_2, {"data": {}, "unti": "K"}, "unti"),
        (t_2, {"tt": 1}, "tt"),
        (text_1, {"txet": "a"}, "txet"),
        (image_1, {"img": "AAAA"}, "img"),
    ],
)
def test_a_slip_is_named_in_either_form(handler: Any, body: dict[str, Any], field: str) -> None:
    """Nothing falls through to a default: the member that is unknown, or the parameter that is missing."""
    with pytest.raises(InputError) as caught:
        decode(handler, JSON, msgspec.json.encode(body))
    assert caught.value.field == field


# ── types that say nothing ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("content_type", ["", FORM, OCTETS, "binary/octet-stream", "application/x-download", TEXT])
def test_json_is_json_under_a_type_that_says_nothing(content_type: str) -> None:
    """Browsers call it text/plain, curl a form, many clients octets; a byte order mark is no part of it."""
    for mark in (b"", b"\xef\xbb\xbf", b"  \n"):
        assert decode(reading_1, content_type, mark + b'{"t": 3}') == {"reading": Reading(3)}
        assert decode(t_2, content_type, mark + b'{"t": 3, "unit": "K"}') == {"t": 3, "unit": "K"}
        np.testing.assert_array_equal(decode(x_1, content_type, mark + b"[0, 1, 2]")["x"], NUMBERS)


def test_curl_d_of_an_object_is_keyed_for_a_text() -> None:
    """`curl -d '{"text":"x"}'`: the text is x, not the JSON; sent as text/plain it is the JSON."""
    assert decode(text_1, FORM, b'{"text": "x"}') == {"text": "x"}
    assert decode(text_1, "", b'{"text": "x"}') == {"text": "x"}
    assert decode(text_1, TEXT, b'{"text": "x"}') == {"text": '{"text": "x"}'}
    assert decode(text_1, FORM, b"{x") == {"text": "{x"}
    with pytest.raises(InputError) as caught:
        decode(text_1, FORM, b'{"txt": "x"}')
    assert caught.value.field == "txt"


def test_what_can_be_read_in_two_ways_is_said_to_the_author() -> None:
    """A lone dict, Any, or a struct with a member of its own name; nobody else has a note."""
    ambiguous: list[Any] = [data_1, any_, own]
    plain: list[Any] = [data_2, reading_1, reading_2, t_1, xs_1, raw_1, text_1, image_1, x_1, data]
    assert all("an object is read as the value of" in Signature.of(handler).note for handler in ambiguous)
    assert not any(Signature.of(handler).note for handler in plain)


def größe_1(größe: Named) -> None: ...
def größe_2(größe: Named, unit: str = "") -> None: ...
def größe_3(größe: bytes) -> None: ...


@pytest.mark.parametrize(
    ("handler", "value", "expected"),
    [(größe_1, {"x": 2.0}, Named(2.0)), (größe_2, {"x": 2.0}, Named(2.0)), (größe_3, "aGk=", b"hi")],
)
@pytest.mark.parametrize("ascii", [True, False])
def test_a_name_may_be_escaped(handler: Any, value: Any, expected: Any, ascii: bool) -> None:
    """Python's json.dumps escapes a name that is not ASCII; bytes were the document itself then."""
    body = json.dumps({"größe": value}, ensure_ascii=ascii).encode()
    assert decode(handler, JSON, body) == {"größe": expected}


def packed_1(data: Annotated[np.ndarray, tensor("float32", "n")]) -> None: ...
def packed_2(data: Annotated[np.ndarray, tensor("float32", "n")], unit: str = "") -> None: ...


@pytest.mark.parametrize("handler", [packed_1, packed_2])
@pytest.mark.parametrize("is_keyed", [False, True])
def test_an_array_may_have_the_name_of_its_own_member(handler: Any, is_keyed: bool) -> None:
    """{"dtype", "shape", "data"} is the array of a parameter `data`, too, beside an optional one as alone."""
    value = {"dtype": "float32", "shape": [3], "data": NUMBERS.tobytes()}
    got = decode(handler, MSGPACK, msgspec.msgpack.encode({"data": value} if is_keyed else value))
    assert got["data"].tolist() == NUMBERS.tolist()


def number(x: Annotated[np.ndarray, tensor("float32")]) -> None: ...
def flag(x: Annotated[np.ndarray, tensor("bool")]) -> None: ...


@pytest.mark.parametrize("content_type", ["", FORM, JSON])
@pytest.mark.parametrize("body", [b"5.25", b"-1e0", b"12.25", b"7"])
def test_a_typed_number_is_no_raw_one(content_type: str, body: bytes) -> None:
    """Four characters have the size of a float32; `curl -d 5.25` means the number."""
    assert decode(number, content_type, body)["x"].item() == float(body)


def test_a_raw_number_is_one() -> None:
    """Under a type that says octets, whatever its bytes look like, and without one where it is no JSON."""
    assert decode(number, OCTETS, b"5.25")["x"].item() == np.frombuffer(b"5.25", "<f4").item()
    assert decode(number, "", np.float32(5.25).tobytes())["x"].item() == 5.25
    assert decode(flag, "", b"true")["x"].item() is True


def test_a_form_without_fields_gives_no_value() -> None:
    """Not an empty dict, where parameters stand beside it."""
    for handler in (data_2, reading_2):
        with pytest.raises(InputError, match="is missing"):
            decode(handler, "multipart/form-data; boundary=B", b"--B--\r\n")


def nullable(data: bytes | None) -> None: ...


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        (JSON, b"null", None),
        (JSON, b" null\n", None),
        (JSON, b'"bnVsbA=="', b"null"),
        (JSON, b"nulls", b"nulls"),
        (MSGPACK, b"\xc0", None),
        (MSGPACK, b"\xc4\x02hi", b"hi"),
        (OCTETS, b"null", b"null"),
    ],
)
def test_bytes_that_may_be_none_take_null(content_type: str, body: bytes, expected: bytes | None) -> None:
    """In JSON and msgpack, where None has a word."""
    assert decode(nullable, content_type, body) == {"data": expected}


def test_a_text_of_msgpack_is_no_bytes() -> None:
    """Old packers write bytes as text: with its first byte, which says how long it is, it was another value."""
    for text in (b"\xa2hi", b"\xd9\x02hi", b"\xda\x00\x02hi", b"\xdb\x00\x00\x00\x02hi"):
        with pytest.raises(InputError, match="Expected `bytes"):
            decode(nullable, MSGPACK, text)


def beside(data: dict[str, Any], k: int) -> None: ...


def test_what_the_query_gives_makes_no_parameter_the_only_one() -> None:
    """An object with the name of a parameter is read by name where the function has several."""
    assert decode(beside, JSON, b'{"data": {"a": 1}}', "k=5") == {"data": {"a": 1}, "k": 5}
    assert decode(beside, JSON, b'{"a": 1}', "k=5") == {"data": {"a": 1}, "k": 5}
    with pytest.raises(InputError, match="is unknown"):
        decode(beside, JSON, b'{"a": 1, "k": 1}', "k=5")


def lone_array(x: Annotated[np.ndarray, tensor("float32", "n")] = NUMBERS) -> None: ...
def lone_reading(reading: Reading | None = None) -> None: ...
def lone_named(named: Named | None = None) -> None: ...


@pytest.mark.parametrize("handler", [lone_array, lone_reading])
@pytest.mark.parametrize(("content_type", "body"), [(JSON, b"{}"), (JSON, b" { }"), (MSGPACK, b"\x80"), ("", b"{}")])
def test_an_object_without_members_gives_nothing(handler: Any, content_type: str, body: bytes) -> None:
    """A client that has no arguments sends it by name, unless it is the value of the only parameter."""
    assert decode(handler, content_type, body) == {}
    assert decode(lone_named, content_type, body) == {"named": Named()}


def own_2(own: Own, unit: str = "") -> None: ...


def test_an_object_that_is_read_by_name_is_told_as_that() -> None:
    """Where a member has its parameter's name, and where the body is no object at all."""
    with pytest.raises(InputError, match=r'own is read by name here; send \{"own": \{...\}\}') as caught:
        decode(own_2, JSON, b'{"own": 1.0}')
    assert caught.value.field == "own"
    with pytest.raises(InputError, match=r"got `int`; send an object of a, b as application/json"):
        decode(numbers_2, JSON, b"5")


def numbers_2(a: int, b: int) -> None: ...


def nothing() -> None: ...


def test_a_function_without_parameters_says_what_it_takes() -> None:
    """Nothing, and every way of writing that."""
    for content_type, body in ((JSON, b"{}"), (MSGPACK, b"\x80"), (FORM, b""), ("", b"")):
        assert decode(nothing, content_type, body) == {}
    for content_type, body in ((JSON, b"[]"), ("image/png", b"x"), (TEXT, b"hi")):
        with pytest.raises(InputError, match=r"; send nothing, or an empty object$"):
            decode(nothing, content_type, body)
