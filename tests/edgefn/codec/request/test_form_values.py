"""Forms and queries as browsers, curl and HTTP libraries write them."""

from __future__ import annotations

import base64
import datetime
import enum
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

import httpx
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn import Image, InputError, tensor
from edgefn.codec.request.signature import Request, Signature

FORM = "application/x-www-form-urlencoded"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Order(msgspec.Struct):
    name: str
    count: int = 1
    express: bool = False
    tags: list[str] = []
    photo: Image | None = None
    note: bytes = b""


def numbers(xs: list[int]) -> None: ...
def words(xs: list[str] | None = None) -> None: ...
def sets(xs: set[float], ys: tuple[int, ...] = (), pair: tuple[int, str] = (0, "")) -> None: ...
def limited(xs: Annotated[list[int], msgspec.Meta(max_length=2)]) -> None: ...
def images(images: list[Image], captions: list[str] | None = None) -> None: ...
def blobs(blobs: list[bytes]) -> None: ...
def order(order: Order) -> None: ...
def fields(
    name: str = "?",
    n: int = 7,
    x: float | None = None,
    sure: bool = False,
    size: Size = Size.SMALL,
    kind: Literal["a", "b"] = "a",
    when: datetime.date | None = None,
    file: bytes = b"none",
    image: Image | None = None,
) -> None: ...


class Label(msgspec.Struct):
    name: str | None
    size: Size | None = None
    kind: Literal["", "a"] = "a"


class Folder(msgspec.Struct):
    name: str
    blobs: list[bytes]


def choices(name: str, size: Size | None = None, kind: Literal["", "a"] = "a") -> None: ...
def labels(label: Label) -> None: ...
def folder(folder: Folder) -> None: ...
def chosen(size: Size) -> None: ...
def beside(label: Label, name: str = "", size: str = "", kind: str = "") -> None: ...
def unsure(n: int, sure: bool | None = None) -> None: ...
def needed(n: int, file: bytes) -> None: ...


def decode(handler: Any, content_type: str, body: bytes, query: str = "", **options: Any) -> dict[str, Any]:
    """The arguments of a request."""
    return Signature.of(handler).decode(Request(content_type, body, query, **options))


def multipart(parts: Sequence[tuple[str, Any]]) -> tuple[str, bytes]:
    """A multipart body as httpx writes it."""
    headers = {"content-type": "multipart/form-data; boundary=b0undary"}
    request = httpx.Request("POST", "http://box", files=list(parts), headers=headers)
    return request.headers["content-type"], request.read()


def with_unchosen(parts: Sequence[tuple[str, Any]], *names: str) -> tuple[str, bytes]:
    """The same with files that nobody chose, as browsers write them: an empty file name."""
    content_type, body = multipart(parts)
    rest = 'filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n'
    unchosen = "".join(f'--b0undary\r\nContent-Disposition: form-data; name="{name}"; {rest}' for name in names)
    return content_type, unchosen.encode() + body


def every_way(pairs: Sequence[tuple[str, str]]) -> list[tuple[str, bytes, str]]:
    """The same texts as a form, a query, and a multipart form: (content type, body, query)."""
    content_type, body = multipart([(name, (None, text)) for name, text in pairs])
    return [(FORM, urlencode(pairs).encode(), ""), ("", b"", urlencode(pairs)), (content_type, body, "")]


@given(st.lists(st.integers(-9, 99), min_size=1, max_size=5), st.sampled_from(["xs", "xs[]"]))
@settings(max_examples=60, deadline=None)
def test_a_repeated_name_is_a_list(values: list[int], name: str) -> None:
    """Each way, any count, with PHP's and jQuery's brackets or without; and one field of JSON."""
    for content_type, body, query in every_way([(name, str(value)) for value in values]):
        assert decode(numbers, content_type, body, query) == {"xs": values}
        assert decode(words, content_type, body, query) == {"xs": [str(value) for value in values]}
        assert decode(sets, content_type, body, query) == {"xs": {float(value) for value in values}}
    for content_type, body, query in every_way([("xs", str(values))]):
        assert decode(numbers, content_type, body, query) == {"xs": values}


def test_lists_keep_their_bounds_and_their_names() -> None:
    """A list's length, an item's type, a tuple's two types; what is wrong is named with its place."""
    assert decode(sets, FORM, b"xs=1&ys=1&ys=2&pair=3&pair=a") == {"xs": {1.0}, "ys": (1, 2), "pair": (3, "a")}
    for handler, form, field, text in (
        (numbers, b"xs=1&xs=b", "xs[1]", "expected an int, got 'b'"),
        (numbers, b"xs=1,2", "xs[0]", "expected an int, got '1,2'"),
        (limited, b"xs=1&xs=2&xs=3", "xs", "length <= 2"),
        (order, b"name=a&tags=1&count=1&count=2", "order.count", "is given twice"),
        (fields, b"n=1&n=2", "n", "is given twice"),
    ):
        with pytest.raises(InputError) as caught:
            decode(handler, FORM, form)
        assert caught.value.field == field
        assert text in str(caught.value)


def test_several_files_are_a_list(encoded: Any) -> None:
    """`<input type="file" multiple>` and FormData.append: each file an item, of images or of bytes."""
    content_type, body = multipart(
        [
            ("images", ("a.png", encoded("PNG", 4, 3), "image/png")),
            ("images", ("b.jpg", encoded("JPEG", 8, 6), "image/jpeg")),
            ("captions", (None, "a")),
        ]
    )
    found = decode(images, content_type, body)
    assert [image.size for image in found["images"]] == [(4, 3), (8, 6)]
    assert found["captions"] == ["a"]
    content_type, body = multipart([("blobs[]", ("a", b"\x00")), ("blobs[]", ("b", b"[1]"))])
    assert decode(blobs, content_type, body) == {"blobs": [b"\x00", b"[1]"]}
    content_type, body = multipart([("images", ("a.png", b"no image", "image/png"))])
    with pytest.raises(InputError, match=r"images\[0\]: is not a supported image"):
        decode(images, content_type, body)


def test_what_a_browser_sends_of_an_empty_form_leaves_the_defaults() -> None:
    """No file chosen, empty numbers and dates, its button: only the empty text is a value."""
    texts = [("name", ""), ("n", ""), ("x", ""), ("when", ""), ("submit", "Send")]
    content_type, body = with_unchosen([(name, (None, text)) for name, text in texts], "file", "image")
    assert decode(fields, content_type, body) == {"name": ""}
    assert decode(fields, FORM, b"name=&n=&x=&when=&submit=Send&_charset_=utf-8") == {"name": ""}
    assert decode(fields, "", b"", "name=&n=&x=") == {"name": ""}


def test_what_is_needed_and_empty_is_missing() -> None:
    """An empty number and a file that was not chosen are no values."""
    content_type, body = with_unchosen([("n", (None, "1"))], "file")
    with pytest.raises(InputError, match="file: is missing"):
        decode(needed, content_type, body)
    with pytest.raises(InputError, match="n: is missing"):
        decode(needed, FORM, b"n=&file=AAE%3D")


@pytest.mark.parametrize(
    ("text", "sure"), [("on", True), ("ON", True), ("off", False), ("true", True), ("0", False), ("1", True)]
)
def test_a_checkbox_is_a_bool(text: str, sure: bool) -> None:
    """Browsers send "on", and nothing where it is not ticked."""
    for content_type, body, query in every_way([("sure", text)]):
        assert decode(fields, content_type, body, query) == {"sure": sure}
    with pytest.raises(InputError, match="sure: expected true or false, got 'maybe'"):
        decode(fields, FORM, b"sure=maybe")


def test_an_empty_bool_is_not_false() -> None:
    """`?sure`, and a ticked checkbox without a value, mean yes to their writers; an empty option means nothing."""
    for body in (b"sure", b"sure="):
        for arguments in (("", b"", body.decode()), (FORM, body + b"&n=1", "")):
            with pytest.raises(InputError, match="sure: expected true or false, got ''"):
                decode(fields, *arguments)
        assert decode(unsure, "", b"", f"{body.decode()}&n=1") == {"n": 1}


def test_a_button_is_no_parameter_of_a_query() -> None:
    """Queries are written by programs: nothing unknown passes there, unless the function says so."""
    with pytest.raises(InputError, match="submit: is unknown"):
        decode(fields, "", b"", "n=1&submit=Send")
    assert decode(fields, "", b"", "n=1&utm_source=mail", ignores_query=True) == {"n": 1}
    assert decode(order, "", b"", "name=a&token=b", ignores_query=True) == {"order": Order("a")}
    with pytest.raises(InputError, match="is unknown"):
        decode(fields, FORM, b"utm_source=mail", ignores_query=True)


def test_form_data_is_a_struct(encoded: Any) -> None:
    """The fields of a multipart form are a lone struct's members, files among them."""
    content_type, body = multipart(
        [
            ("name", (None, "a")),
            ("count", (None, "2")),
            ("express", (None, "on")),
            ("tags", (None, "x")),
            ("tags", (None, "y")),
            ("photo", ("a.png", encoded("PNG", 4, 3), "image/png")),
            ("note", ("n.bin", b"\x00")),
        ]
    )
    found = decode(order, content_type, body)["order"]
    assert (found.name, found.count, found.express, found.tags, found.note) == ("a", 2, True, ["x", "y"], b"\x00")
    assert found.photo.size == (4, 3)
    content_type, body = multipart([("order", (None, '{"name": "a", "count": 2}'))])
    assert decode(order, content_type, body) == {"order": Order("a", 2)}
    content_type, body = multipart([("order", (None, b'{"name": "a"}', "application/json"))])
    assert decode(order, content_type, body) == {"order": Order("a")}


@pytest.mark.parametrize(
    ("query", "field", "text"),
    [
        ("n=abc", "n", "expected an int, got 'abc'"),
        ("n=1.5", "n", "expected an int, got '1.5'"),
        ("x=abc", "x", "expected a float or null, got 'abc'"),
        ("kind=c", "kind", "expected one of a, b, got 'c'"),
        ("size=9", "size", "expected one of 1, 2, got '9'"),
        ("n=" + "x" * 500, "n", "…"),
        ("when=tomorrow", "when", ""),
    ],
)
def test_a_message_speaks_of_text(query: str, field: str, text: str) -> None:
    """A query has nothing but text: what was expected, and what came."""
    with pytest.raises(InputError) as caught:
        decode(fields, "", b"", query)
    assert caught.value.field == field
    assert text in str(caught.value)
    assert "`str`" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_codings_of_mail_are_undone() -> None:
    """RFC 7578 (4.7) has done away with Content-Transfer-Encoding, and some clients still write it."""
    head = 'Content-Disposition: form-data; name="file"; filename="a"\r\nContent-Transfer-Encoding: '
    for coding, data in (
        ("base64", "AAE="),
        ("quoted-printable", "=00=01"),
        ("binary", "\x00\x01"),
        ("8bit", "\x00\x01"),
    ):
        body = f"--B\r\n{head}{coding}\r\n\r\n{data}\r\n--B--\r\n".encode("latin-1")
        assert decode(fields, "multipart/form-data; boundary=B", body) == {"file": b"\x00\x01"}


def test_a_part_is_what_it_is_whatever_it_is_called(encoded: Any) -> None:
    """Without a file name and a type, as some generators write it; a scalar as a file; bytes as they were typed."""

    def f(image: Image | None = None, data: bytes = b"", n: int = 0, text: str = "") -> None: ...

    png = encoded("PNG", 4, 3)
    content_type, body = multipart(
        [("image", (None, png)), ("data", (None, b"AAE=")), ("n", ("n.bin", b"-3", "text/plain"))]
    )
    found = decode(f, content_type, body)
    assert (found["image"].size, found["data"], found["n"]) == ((4, 3), b"AAE=", -3)
    content_type, body = multipart([("images", (None, png)), ("images", ("b", png))])
    assert [one.size for one in decode(images, content_type, body)["images"]] == [(4, 3)] * 2
    content_type, body = multipart([("blobs", (None, b"AAE=")), ("blobs", ("b", b"AAE="))])
    assert decode(blobs, content_type, body) == {"blobs": [b"AAE="] * 2}
    assert decode(blobs, FORM, b"blobs=AAE%3D") == {"blobs": [b"\x00\x01"]}


def test_curl_d_of_a_word_is_the_value() -> None:
    """`curl -d 3` calls a number a form that has no field."""

    def number(n: int) -> None: ...
    def sure(sure: bool) -> None: ...

    assert decode(number, FORM, b"-3") == {"n": -3}
    assert decode(sure, FORM, b"true") == {"sure": True}
    with pytest.raises(InputError, match="n: "):
        decode(number, FORM, b"abc")


def test_an_empty_form_gives_nothing() -> None:
    """An empty text is the body of a text alone."""

    def text(text: str) -> None: ...

    assert decode(text, "text/plain", b"") == decode(text, "", b"") == {"text": ""}
    with pytest.raises(InputError, match="text: is missing"):
        decode(text, FORM, b"")


@pytest.mark.parametrize("charset", ["utf-16le", "iso-2022-jp", "UTF-7"])
def test_a_part_of_another_charset_is_refused(charset: str) -> None:
    """Of any kind: its bytes may happen to be UTF-8, and of another text."""
    part = f'--B\r\nContent-Disposition: form-data; name="{{}}"\r\nContent-Type: text/plain; charset={charset}\r\n\r\n'
    for handler, name in [(words, "xs"), (order, "name"), (fields, "name"), (fields, "kind")]:
        body = part.format(name).encode() + "日本".encode(charset) + b"\r\n--B--\r\n"
        with pytest.raises(InputError, match="send UTF-8") as caught:
            decode(handler, "multipart/form-data; boundary=B", body)
        assert caught.value.field.endswith(name)


@given(st.binary(max_size=20))
def test_a_part_that_is_no_base64_is_refused(data: bytes) -> None:
    """Where its header says so: what is not of the alphabet was left out."""
    head = b'--B\r\nContent-Disposition: form-data; name="blobs"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    for sent in (data, base64.encodebytes(data)):
        try:
            expected = base64.b64decode(bytes(byte for byte in sent if byte not in b" \t\r\n"), validate=True)
        except ValueError:
            expected = None
        try:
            got = decode(blobs, "multipart/form-data; boundary=B", head + sent + b"\r\n--B--\r\n")
        except InputError:
            assert sent is data
        else:
            assert got == {"blobs": [expected]}


def test_a_button_is_no_member_of_a_struct() -> None:
    """As it is no parameter; and a member of that name is the member."""
    assert decode(order, FORM, b"name=a&submit=Send&_charset_=utf-8") == {"order": Order("a")}


def test_json_in_a_field_may_begin_with_a_mark() -> None:
    """As a body of JSON may."""
    field = b"order=" + quote(b'\xef\xbb\xbf{"name": "a"}').encode()
    assert decode(order, FORM, field) == {"order": Order("a")}


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Row(msgspec.Struct, array_like=True):
    number: int
    name: str = ""


def point(point: Point, row: Row | None = None) -> None: ...
def distinct(things: set[Any]) -> None: ...


def test_what_is_written_as_an_array_may_be_json_in_a_field() -> None:
    """A named tuple, and a struct that is an array."""
    got = decode(point, FORM, urlencode({"point": "[1, 2.5]", "row": '[3, "a"]'}).encode())
    assert got == {"point": Point(1, 2.5), "row": Row(3, "a")}


@pytest.mark.parametrize(("content_type", "body"), [("application/json", b"[[1]]"), (FORM, b"things=[[1]]")])
def test_what_no_set_holds_is_refused(content_type: str, body: bytes) -> None:
    """A list in a set is the caller's mistake."""
    with pytest.raises(InputError, match="cannot be in a set") as caught:
        decode(distinct, content_type, body)
    assert caught.value.field == "things"


def moment(when: datetime.datetime) -> None: ...
def moments(whens: list[datetime.datetime | None]) -> None: ...
def either(when: datetime.datetime | int) -> None: ...
def lasting(span: datetime.timedelta) -> None: ...
def by_moment(counts: dict[datetime.datetime, int]) -> None: ...


@pytest.mark.parametrize("text", ["2026", "20260701", "1782900000", "1782900000.5", "-1", "1e9"])
def test_a_number_is_no_date(text: str) -> None:
    """msgspec reads the year 2026 as 34 minutes past midnight in 1970; JSON refuses it as well."""
    for handler, name, word in ((moment, "when", text), (moments, "whens", text), (moments, "whens", f"[{text}]")):
        for content_type, body, query in every_way([(name, word)]):
            with pytest.raises(InputError, match=r"expected a date and time such as 2026-01-31T12:00:00Z.*, got"):
                decode(handler, content_type, body, query)
    for query in (urlencode({"counts": json.dumps({text: 1})}), f"{text}=1"):
        with pytest.raises(InputError, match=r"^counts: expected a date and time"):
            decode(by_moment, FORM, query.encode())
    if text.isdigit():
        assert decode(either, "", b"", f"when={text}") == {"when": int(text)}


def test_dates_are_dates() -> None:
    """In each form that ISO 8601 has of a date and time, and as no date where that may be."""
    for text in ("2026-07-01T05:00:00", "2026-07-01 05:00:00", "2026-07-01T05:00:00.5"):
        for content_type, body, query in every_way([("when", text)]):
            assert decode(moment, content_type, body, query) == {"when": datetime.datetime.fromisoformat(text)}
    assert decode(moments, "", b"", "whens=null&whens=2026-07-01T05:00:00")["whens"][0] is None
    assert decode(by_moment, "", b"", "2026-07-01T05:00:00=1")["counts"] == {datetime.datetime(2026, 7, 1, 5): 1}
    assert decode(lasting, "", b"", "span=PT10S") == {"span": datetime.timedelta(seconds=10)}


def größe(größe: str) -> None: ...
def rows(größe: Annotated[np.ndarray, tensor("float32", "n")]) -> None: ...
def raw(größe: bytes) -> None: ...
def text_of(text: str, language: str = "en") -> None: ...
def array_of(x: Annotated[np.ndarray, tensor("float32", "n")]) -> None: ...


def test_a_form_is_known_by_its_encoded_names() -> None:
    """Browsers escape letters that are not ASCII: such a form was taken for the text, the bytes or raw numbers."""
    assert decode(größe, FORM, urlencode({"größe": "a b"}).encode()) == {"größe": "a b"}
    assert decode(raw, FORM, urlencode({"größe": "aGk="}).encode()) == {"größe": b"hi"}
    assert decode(rows, FORM, urlencode({"größe": "[0.5, 1]"}).encode())["größe"].tolist() == [0.5, 1.0]


@pytest.mark.parametrize("other", ["submit=Send", "language=de", "commit=Yes"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_form_is_known_by_any_of_its_names(other: str, is_first: bool) -> None:
    """A button or another field may stand before the text: the text was all of the body then."""
    pairs = [other, "text=a+b"] if is_first else ["text=a+b", other]
    language = {"language": "de"} if other.startswith("language") else {}
    assert decode(text_of, FORM, "&".join(pairs).encode()) == {"text": "a b"} | language


@pytest.mark.parametrize(
    ("handler", "body", "field"),
    [
        (text_of, b"txet=hello", "txet"),
        (text_of, b"csrf=1&text=hello", "csrf"),
        (text_of, b"text=hello&csrf=1", "csrf"),
        (array_of, b"y=%5B1%2C+2%5D", "y"),
        (array_of, b"y=1&z=&", "y"),
        (text_of, b"txet=&n=", "txet"),
        (raw, b"csrf=1&gr%C3%B6%C3%9Fe=aGk%3D", "csrf"),
    ],
)
def test_a_field_that_a_lone_text_or_array_does_not_have_is_named(handler: Any, body: bytes, field: str) -> None:
    """What clients have encoded is a form, whatever its names are: else 15 letters were four numbers, or the text."""
    with pytest.raises(InputError) as caught:
        decode(handler, FORM, body)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "body", [b"a = b", b"E=mc2, and so on", b"x=", b"aGk=", "é=1".encode(), b"http://a/?b=c", b"="]
)
def test_a_text_that_is_no_form_is_the_text(body: bytes) -> None:
    """`curl -d` sends what was typed: blanks, colons and the like are in no form."""
    assert decode(text_of, FORM, body) == {"text": body.decode()}


@pytest.mark.parametrize(
    "charset",
    [
        "iso-8859-1",
        "windows-1252",
        "shift_jis",
        "gb2312",
        "big5",
        "euc-kr",
        "koi8-r",
        "ansi_x3.4-1968",
        "utf-16",
        "utf-7",
    ],
)
def test_another_charset_is_refused_where_it_makes_a_difference(charset: str) -> None:
    """In forms, JSON under text/plain and text; ASCII is the same in most, and Java clients often name Latin-1."""
    sends = (
        (text_of, f"{FORM}; charset={charset}", b"text=%s"),
        (words, f"text/plain; charset={charset}", b'["%s"]'),
        (words, f"application/json; charset={charset}", b'["%s"]'),
        (text_of, f"text/plain; charset={charset}", b"%s"),
    )
    for handler, content_type, body in sends:
        with pytest.raises(InputError, match=f"is sent as {charset}"):
            decode(handler, content_type, body % "é".encode())
        if not charset.startswith("utf-"):
            assert decode(handler, content_type, body % b"e") in ({"text": "e"}, {"xs": ["e"]})


def one_or_more(xs: int | list[int]) -> None: ...
def inside(part: dict[str, bytes], parts: list[bytes]) -> None: ...


def test_a_single_field_of_a_type_that_is_no_list_alone_is_its_word() -> None:
    """`int | list[int]`: once is the int; several times, with brackets or as JSON it is the list."""
    for query, expected in (("xs=5", 5), ("xs=5&xs=6", [5, 6]), ("xs[]=5", [5]), ("xs=[5]", [5])):
        assert decode(one_or_more, "", b"", query) == {"xs": expected}


@pytest.mark.parametrize("text", ["aGk=", "aGk", "aG\nk=", "data:;base64,aGk=", "aGk=\n"])
def test_base64_of_any_kind_inside_fields(text: str) -> None:
    """As in JSON bodies, in lists of texts and in the JSON of a field; what is none is named by its path."""
    pairs = [("part", json.dumps({"a": text})), ("parts", text), ("parts", text)]
    assert decode(inside, FORM, urlencode(pairs).encode()) == {"part": {"a": b"hi"}, "parts": [b"hi", b"hi"]}
    with pytest.raises(InputError, match="is not base64") as caught:
        decode(inside, FORM, urlencode([*pairs, ("parts", "!")]).encode())
    assert caught.value.field == "parts[2]"


def test_a_file_that_is_named_and_not_sent_is_told_as_that() -> None:
    """`curl -F images=cat.jpg` lacks the @."""
    with pytest.raises(InputError, match=r'send the content of a file, not its name: with curl, -F "name=@file"'):
        decode(images, *multipart([("images", (None, "cat.jpg"))]))


@pytest.mark.parametrize("charset", ["", "utf-8", "iso-8859-1"])
def test_a_part_has_the_charset_of_its_form_unless_of_its_own(charset: str) -> None:
    """Some Java clients name it on the outside; files have none."""
    head = 'form-data; name="text"' + (f"\r\nContent-Type: text/plain; charset={charset}" if charset else "")
    body = f"--B\r\nContent-Disposition: {head}\r\n\r\né\r\n--B--".encode()
    outer = "multipart/form-data; boundary=B; charset=ISO-8859-1"
    if charset == "utf-8":
        assert decode(text_of, outer, body) == {"text": "é"}
    else:
        with pytest.raises(InputError, match=r"^text: is sent as iso-8859-1; send UTF-8"):
            decode(text_of, outer, body)


def optional(text: str | None) -> None: ...


def typed(name: str, text: str, filename: str = "") -> tuple[str, bytes]:
    """A part that is called JSON, as Spring and the JDK's clients write one."""
    head = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
    part = f"--B\r\nContent-Disposition: {head}\r\nContent-Type: application/json\r\n\r\n{text}\r\n"
    return "multipart/form-data; boundary=B", f"{part}--B--\r\n".encode()


@pytest.mark.parametrize(
    ("handler", "name", "text", "filename", "expected"),
    [
        (text_of, "text", '"hi"', "", "hi"),
        (text_of, "text", r'"\u00e9 \"x\""', "", 'é "x"'),
        (text_of, "text", "hi", "", "hi"),
        (text_of, "text", '{"a": 1}', "", '{"a": 1}'),
        (text_of, "text", '"hi"', "a.json", '"hi"'),
        (optional, "text", "null", "", None),
        (optional, "text", " null\r\n", "", None),
        (optional, "text", "null", "a.json", "null"),
        (text_of, "text", "null", "", "null"),
        (words, "xs", '["hi"]', "", ["hi"]),
        (numbers, "xs", "[1, 2]", "", [1, 2]),
        (fields, "kind", '"b"', "", "b"),
        (fields, "when", '"2026-07-01"', "", datetime.date(2026, 7, 1)),
        (raw, "größe", '"aGk="', "", b'"aGk="'),
    ],
)
def test_a_part_of_json_is_read_as_that(handler: Any, name: str, text: str, filename: str, expected: Any) -> None:
    """A text in quotes is the text; a file is its content, and so are bytes."""
    assert decode(handler, *typed(name, text, filename))[name] == expected
    if text == '"hi"' and not filename:
        with pytest.raises(InputError) as caught:
            decode(handler, *typed(name, '"hi'))
        assert caught.value.field == name


def test_members_are_parts_of_json() -> None:
    """As parameters are. FormData with a Blob names a file, whose content is a text, and nothing else."""
    json_part = ("application/json",)
    parts = [
        ("name", (None, b'"Ann"', *json_part)),
        ("tags", ("blob", b'["a", "b"]', *json_part)),
        ("count", (None, b"2", *json_part)),
        ("express", ("blob", b"true", *json_part)),
        ("note", ("blob", b'"aGk="', *json_part)),
    ]
    found = decode(order, *multipart(parts))["order"]
    assert found == Order("Ann", 2, True, ["a", "b"], None, b'"aGk="')
    assert decode(order, *multipart([("name", ("a.json", b'"Ann"', *json_part))]))["order"].name == '"Ann"'
    labelled = decode(labels, *multipart([("name", (None, b"null", *json_part)), ("size", (None, b"1"))]))
    assert labelled["label"] == Label(None, Size.SMALL)
    for name, data in (("tags", b'["a"'), ("count", b'"x"'), ("tags", b"5")):
        with pytest.raises(InputError) as caught:
            decode(order, *multipart([("name", (None, b"Ann")), (name, (None, data, *json_part))]))
        assert caught.value.field == f"order.{name}"


@given(st.lists(st.sampled_from([b'["aGk="]', b"{}", b"null", b"5", b'"aGk="', b"\x91\xc4\x01a", b""]), min_size=1))
def test_files_of_any_type_are_bytes(contents: list[bytes]) -> None:
    """One file or several, JSON and msgpack too, as a parameter or as a member."""
    for media in ("application/json", "application/msgpack", "text/plain", "application/octet-stream"):
        parts = [("blobs", ("a.bin", content, media)) for content in contents]
        assert decode(blobs, *multipart(parts)) == {"blobs": contents}
        assert decode(folder, *multipart([*parts, ("name", (None, b"x"))]))["folder"].blobs == contents


@pytest.mark.parametrize("handler", [choices, labels])
def test_an_empty_choice_is_not_given(handler: Any) -> None:
    """`<option value="">` of an optional enum or Literal; where a choice is empty itself it is that one."""
    for content_type, body, query in every_way([("name", "x"), ("size", ""), ("kind", "")]):
        got = decode(handler, content_type, body, query)
        assert got in ({"name": "x", "kind": ""}, {"label": Label("x", None, "")})
    with pytest.raises(InputError, match=r"^size: is missing"):
        decode(chosen, FORM, b"size=")


@given(st.dictionaries(st.sampled_from(["name", "size", "kind"]), st.just("1"), min_size=1), st.booleans())
def test_fields_beside_a_queried_struct_are_parameters(fields: dict[str, str], as_form: bool) -> None:
    """Where the query gives the struct, a name that its members have too is the parameter's, as in JSON."""
    query = urlencode({"label": '{"name": "x"}'})
    content_type, body = (
        (FORM, urlencode(fields).encode()) if as_form else ("application/json", json.dumps(fields).encode())
    )
    assert decode(beside, content_type, body, query) == {"label": Label("x")} | fields


@given(st.integers(-(2**70), 2**70), st.integers(0, 3), st.booleans())
def test_a_whole_number_is_read_to_its_last_digit(number: int, zeros: int, repeated: bool) -> None:
    """However many digits it has, and with a fraction of zeros: it is that number or refused, never a rounded one."""
    text = f"{number}.{'0' * zeros}"
    handler, given_, name = (numbers, [number], "xs") if repeated else (needed, number, "n")
    request = Request(FORM, urlencode({name: text, **({} if repeated else {"file": "YQ=="})}).encode())
    assert Signature.of(handler).decode(request)[name] == given_


@pytest.mark.parametrize("text", ["0.99999999999999999999", "2.00000000000000000001", "1.5", "15e-1", "1e-400"])
def test_a_fraction_is_no_whole_number(text: str) -> None:
    """One that a float would round to a whole number, too."""
    with pytest.raises(InputError, match="n: expected an int"):
        Signature.of(needed).decode(Request(FORM, urlencode({"n": text, "file": "YQ=="}).encode()))
