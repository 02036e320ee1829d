"""Forms as fields: what HTTP clients write is read back, and what is malformed is an InputError."""

from __future__ import annotations

import contextlib
from urllib.parse import parse_qsl, quote, urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn import InputError
from edgefn.codec.media_types import MediaType, media_type
from edgefn.codec.request.body import forms
from edgefn.codec.request.body.forms import MAX_FIELDS, multipart, urlencoded

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=8)


@given(st.lists(st.tuples(NAMES, st.text(st.characters(codec="utf-8")))))
def test_urlencoded_is_read_back(pairs: list[tuple[str, str]]) -> None:
    """Order, repetition and empty values stay."""
    assert [(field.name, field.data.decode()) for field in urlencoded(urlencode(pairs))] == pairs


@given(st.lists(st.tuples(NAMES, st.text(st.characters(codec="utf-8")))))
def test_utf8_may_stand_as_it_is(pairs: list[tuple[str, str]]) -> None:
    """`curl -d name=é` escapes nothing; what stands for something in a form is still escaped."""
    body = "&".join(f"{_escaped(name)}={_escaped(value)}" for name, value in pairs).encode()
    assert [(field.name, field.data.decode()) for field in urlencoded(body)] == pairs


def _escaped(text: str) -> str:
    return "".join(quote(one, safe="") if one.isascii() else one for one in text)


B = MediaType("multipart/form-data", "", "B")


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), st.tuples(st.binary(max_size=64), st.booleans())))
def test_multipart_is_read_back(parts: dict[str, tuple[bytes, bool]]) -> None:
    """What httpx writes, files and typed-in fields, any bytes."""
    files = {name: ("a.bin", data, "image/png") if is_file else (None, data) for name, (data, is_file) in parts.items()}
    request = httpx.Request("POST", "http://box", files=files or {"none": b""})
    fields = multipart(request.read(), media_type(request.headers["content-type"]))
    if parts:
        assert {field.name: (field.data, field.is_file) for field in fields} == parts


@given(st.binary(max_size=200), st.sampled_from(["B", "", "é", "b" * 300]))
def test_malformed_multipart_is_an_input_error(body: bytes, boundary: str) -> None:
    """Any bytes under any boundary; also with a true beginning."""
    for data in (body, b"--B\r\n" + body, b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + body):
        with contextlib.suppress(InputError):
            multipart(data, MediaType("multipart/form-data", "", boundary))


@given(st.binary(max_size=100))
def test_malformed_urlencoded_is_an_input_error(body: bytes) -> None:
    """Any bytes."""
    with contextlib.suppress(InputError):
        urlencoded(body)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"--B\r\n", "ends before its last boundary"),
        (b"--B\r\n\r\nx\r\n--B--\r\n", "has no `Content-Disposition"),
        (
            b'--B\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' * (MAX_FIELDS + 1) + b"--B--",
            "more than 1000",
        ),
    ],
)
def test_a_form_that_is_cut_nameless_or_endless_is_told_so(body: bytes, message: str) -> None:
    """The message says which."""
    with pytest.raises(InputError, match=message):
        multipart(body, B)


def test_nothing_is_logged_about_malformed_bodies(capfd: pytest.CaptureFixture[str]) -> None:
    """The InputError says it once; python-multipart's own warning reaches no stream."""
    with pytest.raises(InputError):
        multipart(b"junk", B)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("query", ["&".join(f"a{n}=1" for n in range(MAX_FIELDS + 1)), "&" * (MAX_FIELDS + 1)])
def test_a_query_of_too_many_fields_is_told_so(query: str) -> None:
    """Not that it is no UTF-8."""
    with pytest.raises(InputError, match="has more than 1000 fields"):
        urlencoded(query)


def test_files_inside_a_part_are_refused() -> None:
    """They were one file before, of headers and all."""
    inner = b'--C\r\nContent-Disposition: file; filename="a"\r\n\r\n1\r\n--C--'
    head = b'--B\r\nContent-Disposition: form-data; name="files"\r\nContent-Type: multipart/mixed; boundary=C\r\n\r\n'
    with pytest.raises(InputError, match=r"^files: is a nested form; send each of its files as a part"):
        multipart(head + inner + b"\r\n--B--", B)


@given(st.text(st.sampled_from("%%%+=&;4aé1 \x00"), max_size=60), st.integers(3, 9))
def test_urlencoded_is_what_urllib_reads(text: str, piece: int) -> None:
    """Whole escapes and halves of them, at the end of a piece and in its middle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forms, "_PIECE", piece)
        try:
            expected = parse_qsl(text, keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            with pytest.raises(InputError, match="is not urlencoded UTF-8"):
                urlencoded(text)
        else:
            assert [(field.name, field.data.decode()) for field in urlencoded(text)] == expected
