"""Content-Type."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.codec.media_types import JSON, TEXT, MediaType, media_type


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


@given(st.text(max_size=80))
def test_any_header_is_read(header: str) -> None:
    """Headers come from outside: none raises."""
    assert media_type(header).name == media_type(header).name.lower()
