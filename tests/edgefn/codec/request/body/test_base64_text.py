"""Base64 is read however people write it, wherever bytes stand."""

from __future__ import annotations

import base64
import textwrap
from collections.abc import Callable
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn import InputError
from edgefn.codec.request.body import base64_text
from edgefn.codec.request.signature import Request, Signature


class Inner(msgspec.Struct):
    thumb: bytes = b""
    name: str = ""


class Outer(msgspec.Struct):
    parts: list[Inner] = []
    by_name: dict[str, bytes] = {}
    pair: tuple[int, bytes] | None = None
    either: int | bytes = 0


def lone(data: bytes) -> None: ...
def beside(data: bytes, n: int = 0) -> None: ...
def nested(outer: Outer) -> None: ...
def many(many: list[bytes]) -> None: ...


def wrapped(text: str) -> str:
    """As mail and `base64` of coreutils wrap it."""
    return "\n".join(textwrap.wrap(text, 8)) + "\n"


FORMS: dict[str, Callable[[str], str]] = {
    "standard": lambda text: text,
    "wrapped": wrapped,
    "windows": lambda text: wrapped(text).replace("\n", "\r\n"),
    "unpadded": lambda text: text.rstrip("="),
    "url-safe": lambda text: text.replace("+", "-").replace("/", "_"),
    "url-safe, unpadded": lambda text: text.replace("+", "-").replace("/", "_").rstrip("="),
    "data URL": lambda text: f"data:application/octet-stream;base64,{text}",
    "DATA URL": lambda text: f"DATA:image/png;charset=utf-8;BASE64,{text}",
    "escaped data URL": lambda text: f"data:;base64,{quote(text, safe='')}",
}


@given(st.binary(max_size=60), st.sampled_from(sorted(FORMS)))
@settings(max_examples=200, deadline=None)
def test_every_form_is_the_same_bytes(data: bytes, form: str) -> None:
    """Alone, among others, nested, in a list, in a query: one reading of base64 everywhere."""
    text = FORMS[form](base64.b64encode(data).decode())
    assert base64_text.decoded(text.encode()) == data
    json = msgspec.json.encode
    if data:  # an empty text is also the end of a request that has no body
        assert Signature.of(lone).decode(Request("application/json", json(text))) == {"data": data}
        assert Signature.of(beside).decode(Request("", b"", f"data={quote(text, safe='')}")) == {"data": data}
    assert Signature.of(beside).decode(Request("application/json", json({"data": text}))) == {"data": data}
    assert Signature.of(many).decode(Request("application/json", json([text, ""]))) == {"many": [data, b""]}
    body = json({"parts": [{"thumb": text, "name": text}], "by_name": {"a": text}, "pair": [1, text], "either": text})
    found = Signature.of(nested).decode(Request("application/json", body))["outer"]
    assert found == Outer([Inner(data, text)], {"a": data}, (1, data), data)


@pytest.mark.parametrize(
    "text", ["A", "AA=A", "!", "é", "A" * 5, "data:image/png;base64,A", "hello world", "AA A", "AA= ="]
)
def test_what_is_none_is_refused_with_its_place(text: str) -> None:
    """The path of the text, whatever it is inside of."""
    body = msgspec.json.encode({"parts": [{}, {"thumb": text}]})
    with pytest.raises(InputError, match="is not base64") as caught:
        Signature.of(nested).decode(Request("application/json", body))
    assert caught.value.field == "outer.parts[1].thumb"


def test_a_data_url_without_base64_is_percent_encoded() -> None:
    """RFC 2397: without ;base64 the data is text with escapes."""
    assert base64_text.decoded(b"data:text/plain,a%20b") == b"a b"


def test_a_url_is_not_fetched() -> None:
    """It is told as what it is."""
    with pytest.raises(InputError, match="is a URL, which a box does not fetch"):
        Signature.of(lone).decode(Request("application/json", b'"https://example.org/a.jpg"'))
