"""Where in a JSON document a fault lies, and whether a body is a document at all."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn import InputError
from edgefn.codec.request.body import json_text
from edgefn.codec.request.signature import Request, Signature


def anything(value: Any) -> None: ...
def two(a: str, b: list[str]) -> None: ...


NAMES = st.text(st.sampled_from('ab"\\{}[]:,é '), max_size=4)
DOCUMENTS = st.recursive(
    st.integers(-99, 99) | NAMES | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)
FAULT = "@FAULT@"


def places(value: Any) -> list[tuple[Any, Any, str]]:
    """Every (holder, step, path) below `value`."""
    found: list[tuple[Any, Any, str]] = []

    def look(inner: Any, path: str) -> None:
        steps = inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ()
        for step, one in steps:
            below = f"{path}[{step}]" if isinstance(step, int) else f"{path}.{step}"
            found.append((inner, step, below))
            look(one, below)

    look(value, "")
    return found


@given(DOCUMENTS, st.booleans(), st.data())
@settings(max_examples=200, deadline=None)
def test_the_path_of_any_value_is_found(document: Any, ascii_only: bool, data: st.DataObject) -> None:
    """Whatever stands in the names and texts before it: quotes, braces, escapes."""
    if not (choices := [one for one in places(document) if not isinstance(one[1], str) or one[1]]):
        return
    holder, step, path = data.draw(st.sampled_from(choices))
    holder[step] = FAULT
    text = json.dumps(document, ensure_ascii=ascii_only).encode()
    assert json_text.path(text, text.index(FAULT.encode())) == path


@pytest.mark.parametrize(
    ("body", "field", "text"),
    [
        (rb'{"a": "x", "b": ["y", "\ud800z"]}', "b[1]", r"a lone surrogate, \ud800"),
        (rb'{"a": "\udc00", "b": []}', "a", r"a lone surrogate, \udc00"),
        (rb'{"a": "\ud83d\ude00 \ud83d", "b": []}', "a", r"a lone surrogate, \ud83d"),
        (b'{"a": "x", "b": ["y",, "z"]}', "b[1]", "malformed"),
        (b'{"a": nul, "b": []}', "a", "malformed"),
        (b'{"a": "x", "b": [', "", "truncated"),
    ],
)
def test_a_fault_of_the_text_names_its_field(body: bytes, field: str, text: str) -> None:
    """Half a character, a comma too many, a word that is none."""
    with pytest.raises(InputError) as caught:
        Signature.of(two).decode(Request("application/json", body))
    assert caught.value.field == field
    assert text in str(caught.value)


def test_whole_characters_are_read() -> None:
    """Pairs of surrogates, and a backslash before a u that is none."""
    body = rb'{"a": "\ud83d\ude00 \\ud800", "b": []}'
    assert Signature.of(two).decode(Request("application/json", body)) == {"a": "\U0001f600 \\ud800", "b": []}


@given(st.binary(max_size=40) | DOCUMENTS.map(msgspec.json.encode))
def test_a_document_is_what_a_parser_reads_whole(body: bytes) -> None:
    """Begins with a brace or a bracket, and nothing is left over."""
    try:
        value = json.loads(body.decode())
    except ValueError:
        value = None
    assert json_text.is_document(body) == isinstance(value, dict | list)


def test_a_long_fault_is_not_searched_for_ever() -> None:
    """A document of megabytes with its fault at the end is refused in no time, without a path."""
    body = b"[" + b'"x",' * 300_000 + b"@]"
    with pytest.raises(InputError, match="malformed") as caught:
        Signature.of(anything).decode(Request("application/json", body))
    assert caught.value.field == "value"


@pytest.mark.parametrize("begin", [b'{"value": x"', rb'{"value": "\ud800', b'{"value": ["a",, "'])
@pytest.mark.parametrize("end", [b"", b"\\", b'"}'])
def test_a_long_text_behind_a_fault_is_read_once(begin: bytes, end: bytes) -> None:
    """JSON inside a text is full of escaped quotes; each was taken for the begin of another text: 30 s for 64 KB."""
    began = time.process_time()
    with pytest.raises(InputError):
        Signature.of(anything).decode(Request("application/json", begin + b'\\"' * 32_000 + end))
    assert time.process_time() - began < 5
