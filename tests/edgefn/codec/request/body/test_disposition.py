"""The names of a form's field and of its file, as clients write them."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from urllib.parse import quote

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn import InputError
from edgefn.codec.media_types import media_type
from edgefn.codec.request.body.disposition import names
from edgefn.codec.request.body.forms import multipart

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)


async def by_aiohttp(name: str, value: str, filename: str | None) -> tuple[str, bytes]:
    form = aiohttp.FormData()
    form.add_field(name, value, filename=filename, content_type="text/plain")
    writer = form()
    return writer.headers["Content-Type"], await writer.as_bytes()


@given(NAMES, NAMES, st.none() | NAMES)
def test_aiohttps_names_are_read_back(name: str, value: str, filename: str | None) -> None:
    """It escapes a name that is not ASCII, `name*=utf-8''…`, and the letters of a file's."""
    content_type, body = asyncio.run(by_aiohttp(name, value, filename))
    (field,) = multipart(body, media_type(content_type))
    assert (field.name, field.data) == (name, value.encode())
    assert (field.filename is None) == (filename is None)


@given(NAMES, NAMES)
def test_names_are_read_in_each_way(name: str, filename: str) -> None:
    """Escaped as RFC 8187 has it, and as .NET does; what is plain counts where both stand."""
    escaped = f"name*=UTF-8''{quote(name, '')}; filename*=utf-8'en'{quote(filename, '')}"
    assert names(f"form-data; {escaped}".encode()) == (name, filename)
    assert names(f'form-data; {escaped}; name="n"; filename="f"'.encode()) == ("n", "f")
    of_mail = b64encode(name.encode()).decode()
    assert names(f'form-data; name="=?utf-8?B?{of_mail}?="'.encode()) == (name, None)


@pytest.mark.parametrize(
    ("header", "read"),
    [
        (b'form-data; name="=?x"', ("=?x", None)),
        (b"form-data; name*=iso-8859-1''%E9; name=e", ("e", None)),
        (b"form-data; name=\"a; filename*=utf-8''b\"", ("a; filename*=utf-8''b", None)),
    ],
)
def test_other_names_are_as_they_are(header: bytes, read: tuple[str, str | None]) -> None:
    """Also inside quotes."""
    assert names(header) == read


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"form-data",
        b"attachment; name=a",
        b"form-data; name*=iso-8859-1''%E9",
        b'form-data; name="=?utf-8?B?YQ=a?="',
        b"form-data; name*=utf-8''%FF",
    ],
)
def test_a_part_without_a_name_is_refused(header: bytes) -> None:
    """Whatever else is wrong with it."""
    body = b"--B\r\nContent-Disposition: %b\r\n\r\n1\r\n--B--\r\n" % (header or b"x")
    with pytest.raises(InputError, match="multipart body"):
        multipart(body, media_type("multipart/form-data; boundary=B"))
