"""What an author writes as arguments of `call` is the request that a usual client would send."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.codec.media_types import media_type
from edgefn.codec.request.body.forms import multipart, urlencoded
from edgefn.testing.requests import query_string, sent

NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc"]) | st.sampled_from('"\r\n'), min_size=1, max_size=12
)
FILES = st.dictionaries(NAMES, st.binary(max_size=60), min_size=1, max_size=3)
VALUES = st.text(st.characters(codec="utf-8"), max_size=20)


@given(st.dictionaries(NAMES, VALUES | st.lists(VALUES, min_size=1, max_size=3), min_size=1, max_size=4))
def test_a_form_and_a_query_are_read_as_they_were_written(fields: dict[str, Any]) -> None:
    """Each field with each of its values, in order; the query is what httpx makes of it."""
    pairs = [(name, one) for name, value in fields.items() for one in (value if isinstance(value, list) else [value])]
    body = sent(data=fields).body
    assert [(field.name, field.data.decode()) for field in urlencoded(body.decode())] == pairs
    assert query_string(fields) == body.decode()


@given(st.dictionaries(NAMES, VALUES, max_size=3), FILES)
def test_a_multipart_form_is_read_as_it_was_written(fields: dict[str, str], files: dict[str, bytes]) -> None:
    """Names, texts and files; what a head cannot hold of a name is written as browsers and httpx write it."""
    media, body = sent(data=fields, files=dict(files))
    found = [(field.name, bytes(field.data)) for field in multipart(body, media_type(media))]
    given_all = [(name, text.encode()) for name, text in fields.items()] + list(files.items())
    assert [data for _, data in found] == [data for _, data in given_all]
    uploads = {name: ("file", data) for name, data in files.items()}
    known = httpx.Request("POST", "http://box", data=fields, files=uploads)
    theirs = multipart(known.read(), media_type(known.headers["content-type"]))
    assert [name for name, _ in found] == [field.name for field in theirs]


def test_a_file_has_the_type_of_its_extension(tmp_path: Path) -> None:
    """As a sample has it at a build; another type goes with the file, or in the headers."""
    (tmp_path / "cat.JPG").write_bytes(b"jpeg")
    (tmp_path / "cat.xyz").write_bytes(b"?")
    assert sent(data=tmp_path / "cat.JPG") == ("image/jpeg", b"jpeg")
    assert sent(data=tmp_path / "cat.xyz") == ("application/octet-stream", b"?")
    body = sent(files={"a": [tmp_path / "cat.JPG", b"raw", ("x.png", b"p"), ("x", b"t", "text/plain")]}).body
    types = [line for line in body.lower().splitlines() if line.startswith(b"content-type")]
    assert types == [
        b"content-type: image/jpeg",
        b"content-type: application/octet-stream",
        b"content-type: image/png",
        b"content-type: text/plain",
    ]


def test_json_is_any_value() -> None:
    """None is null; arrays are lists; what JSON has no form for is an error of the test's."""
    assert sent(json=None).body == b"null"
    assert sent(json={"x": np.eye(2, dtype=np.float32)}).body == b'{"x":[[1.0,0.0],[0.0,1.0]]}'
    assert sent(data="text") == ("text/plain; charset=utf-8", b"text")
    assert sent(data=b"raw") == ("", b"raw")
    assert sent() == ("", b"")
    with pytest.raises(TypeError, match="holds a object"):
        sent(json={"x": object()})


def test_a_request_has_one_body() -> None:
    """json= beside data= or files=, and a body beside files=."""
    with pytest.raises(ValueError, match="one body"):
        sent(json=1, data=b"1")
    with pytest.raises(ValueError, match="one body"):
        sent(json=1, files={})
    with pytest.raises(ValueError, match="beside files="):
        sent(data=b"1", files={"a": b"1"})
