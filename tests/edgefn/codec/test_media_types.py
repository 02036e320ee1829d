"""Content-Type and Accept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.codec.media_types import JSON, MSGPACK, NPY, OCTETS, TEXT, MediaType, media_type, preferred

OFFERS = (JSON, MSGPACK, NPY, OCTETS)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", MediaType("")),
        ("Application/JSON", MediaType(JSON)),
        ("application/json; charset=UTF-8", MediaType(JSON, "utf-8")),
        ('multipart/form-data; boundary="a;b=c"; x', MediaType("multipart/form-data", "", "a;b=c")),
        ("multipart/form-data;BOUNDARY=aB", MediaType("multipart/form-data", "", "aB")),
        ("text/plain;charset", MediaType(TEXT)),
    ],
)
def test_a_content_type_is_read(header: str, expected: MediaType) -> None:
    """Names in lower case, the boundary as it is written, quotes taken off."""
    assert media_type(header) == expected


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/msgpack", MSGPACK),
        ("application/msgpack;q=0.5, application/json", JSON),
        ("application/json;q=0.5, application/msgpack", MSGPACK),
        ("application/json, text/plain, */*", JSON),
        ("APPLICATION/X-NPY", NPY),
        ("application/*;q=0.2, application/octet-stream;q=0.3", OCTETS),
        ("*/*, application/json;q=0", MSGPACK),
        ("text/html", JSON),
        ("text/html, application/xhtml+xml, */*;q=0.8", JSON),
        ("application/x-npy;q=oops, application/msgpack;q=0.1", MSGPACK),
        (";;,,q", JSON),
    ],
)
def test_accept_prefers(accept: str, expected: str) -> None:
    """By quality, then by the order on offer; the most specific range counts; nothing acceptable is the default."""
    assert preferred(accept, OFFERS) == expected


@given(st.text(max_size=80))
def test_any_header_is_read(header: str) -> None:
    """Headers come from outside: none raises, and what is preferred is on offer."""
    assert media_type(header).name == media_type(header).name.lower()
    assert preferred(header, OFFERS) in OFFERS
