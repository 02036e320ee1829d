"""Compressed bodies are unpacked within their bound, or refused by name."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn import InputError
from edgefn.codec.media_types import FORM, MULTIPART
from edgefn.codec.request.body.encodings import decoded
from edgefn.codec.request.signature import Request, Signature
from edgefn.errors import BodyTooLarge, UnsupportedEncoding


def raw_deflate(data: bytes) -> bytes:
    """Deflate without zlib's header, as some senders write it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
}


@given(st.binary(max_size=2000), st.sampled_from(sorted(CODINGS)))
@settings(max_examples=120, deadline=None)
def test_a_body_is_what_it_was(data: bytes, coding: str) -> None:
    """Any bytes, each coding; at the bound it is read, one byte below it is refused."""
    packed = CODINGS[coding](data)
    assert decoded(packed, coding, len(data)) == data
    assert decoded(bytearray(packed), f" {coding.upper()} ", len(data)) == data
    if data:
        with pytest.raises(BodyTooLarge, match="unpacks to over"):
            decoded(packed, coding, len(data) - 1)


def test_several_members_are_one_body() -> None:
    """`cat a.gz b.gz` is a gzip file; its members together are bounded."""
    packed = gzip.compress(b"a" * 50) + gzip.compress(b"b" * 50)
    assert decoded(packed, "gzip", 100) == b"a" * 50 + b"b" * 50
    with pytest.raises(BodyTooLarge):
        decoded(packed, "gzip", 99)


@given(st.integers(0, 60), st.sampled_from(sorted(CODINGS)))
def test_a_cut_body_is_refused(cut: int, coding: str) -> None:
    """Wherever it ends."""
    packed = CODINGS[coding](bytes(range(256)))
    if 0 < cut < len(packed):
        with pytest.raises(InputError):
            decoded(packed[:-cut], coding, 10_000)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress", "x" * 300])
def test_other_codings_are_named(coding: str) -> None:
    """415, with what can be sent; nothing reaches the handler as it is."""
    with pytest.raises(UnsupportedEncoding, match="send it as gzip, deflate or unencoded"):
        decoded(b"x", coding, 10)
    assert decoded(b"x", "identity", 10) == decoded(b"x", "", 10) == b"x"


def test_a_bomb_takes_no_more_than_its_bound() -> None:
    """A gigabyte of zeros in a megabyte: refused when the bound is reached, before the rest is unpacked."""
    bomb = gzip.compress(bytes(1 << 26), 9)
    with pytest.raises(BodyTooLarge):
        decoded(bomb, "gzip", 1 << 16)


def test_every_kind_of_parameter_gets_the_unpacked_body() -> None:
    """`bytes` too: the coding belongs to the message, not to the data."""

    def blob(data: bytes) -> None: ...
    def text(name: str) -> None: ...
    def number(n: int) -> None: ...

    for handler, content_type, body, expected in (
        (blob, "application/octet-stream", b"\x00\x01", b"\x00\x01"),
        (text, "text/plain", b"a", "a"),
        (number, "application/json", b'{"n": 3}', 3),
        (number, "application/x-www-form-urlencoded", b"n=3", 3),
    ):
        found = Signature.of(handler).decode(Request(content_type, gzip.compress(body), encoding="gzip", max_body=10))
        assert list(found.values()) == [expected]


def test_many_members_take_no_more_than_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a body of empty members little is looked at twice: tried with all of the rest, it took the square."""
    looked_at = 0
    make = zlib.decompressobj

    class Counted:
        def __init__(self, container: int) -> None:
            self._stream = make(container)

        def decompress(self, data: memoryview, most: int) -> bytes:
            nonlocal looked_at
            looked_at += len(data)
            return self._stream.decompress(data, most)

        def __getattr__(self, name: str) -> object:
            return getattr(self._stream, name)

    monkeypatch.setattr(zlib, "decompressobj", Counted)
    packed = gzip.compress(b"") * 2000
    assert decoded(packed, "gzip", 0) == b""
    assert looked_at <= 2000 * 1024


@given(st.lists(st.integers(0, 5000), max_size=5))
@settings(deadline=None)
def test_members_of_any_length_are_one_body(lengths: list[int]) -> None:
    """Random bytes, which do not get smaller: members that end within the first piece, at its end and far behind it."""
    parts = [Random(length).randbytes(length) for length in lengths]
    whole = b"".join(parts)
    assert decoded(memoryview(b"".join(map(gzip.compress, parts))), "gzip", len(whole)) == whole


@pytest.mark.parametrize(
    "content_type", ["application/msgpack", "application/json", "", FORM, f"{MULTIPART}; boundary=b"]
)
def test_nothing_is_the_same_packed(content_type: str) -> None:
    """A body that unpacks to no bytes is an empty one, for functions that take that and for those that do not."""

    def text(name: str) -> None: ...
    def number(n: int) -> None: ...
    def numbers(xs: list[int]) -> None: ...
    def blob(data: bytes) -> None: ...

    def outcome(handler: Any, request: Request) -> object:
        try:
            return Signature.of(handler).decode(request)
        except InputError as error:
            return str(error)

    for handler in (text, number, numbers, blob):
        packed = Request(content_type, gzip.compress(b""), encoding="gzip")
        assert outcome(handler, packed) == outcome(handler, Request(content_type))
