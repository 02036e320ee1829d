"""What an Accept header says of the forms on offer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.codec.media_types import JSON, MSGPACK, NPY, OCTETS, TEXT, X_MSGPACK
from edgefn.codec.result.accept import Ranking, ranking

OFFERS = (JSON, MSGPACK, X_MSGPACK, NPY, OCTETS)
PROPER = (JSON, MSGPACK, NPY, OCTETS)


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", PROPER),
        (" ", PROPER),
        ("*/*", PROPER),
        ("application/msgpack", (MSGPACK,)),
        ("application/x-msgpack", (X_MSGPACK,)),
        ("application/msgpack;q=0.5, application/json", (JSON, MSGPACK)),
        ("application/json;q=0.5, application/msgpack", (MSGPACK, JSON)),
        ("application/json, text/plain, */*", PROPER),
        ("APPLICATION/X-NPY", (NPY,)),
        ("application/*;q=0.2, application/octet-stream;q=0.3", (OCTETS, JSON, MSGPACK, NPY)),
        ("*/*, application/json;q=0", (MSGPACK, NPY, OCTETS)),
        ("text/html, application/xhtml+xml, */*;q=0.8", PROPER),
        ("application/x-npy;q=oops, application/msgpack;q=0.1", (MSGPACK,)),
        ("application/json;q=0.4, application/json;q=0.9, application/msgpack;q=0.5", (MSGPACK, JSON)),
        ('application/json;profile="a,b;q=0";q=0.5, application/msgpack;q=0.4', (JSON, MSGPACK)),
    ],
)
def test_the_best_comes_first(accept: str, wanted: tuple[str, ...]) -> None:
    """By quality, then by the order on offer; the most specific range counts; an alias is for who writes it."""
    assert ranking(accept, OFFERS).wanted == wanted


@pytest.mark.parametrize(
    ("accept", "unnamed"),
    [
        ("text/html", PROPER),
        (";;,,q", PROPER),
        ("text/html, application/json;q=0", (MSGPACK, NPY, OCTETS)),
        ("*/*;q=0", ()),
        ("application/*;q=0", ()),
    ],
)
def test_what_it_wants_nothing_of(accept: str, unnamed: tuple[str, ...]) -> None:
    """What q=0 excludes is apart from what is not mentioned."""
    assert ranking(accept, OFFERS) == Ranking((), unnamed)


def test_text_has_a_wildcard_of_its_own() -> None:
    """A range matches by its part before the slash."""
    assert ranking("text/*", (JSON, TEXT)) == Ranking((TEXT,), (JSON,))


@given(st.text(max_size=80))
def test_any_header_is_read(header: str) -> None:
    """Headers come from outside: none raises, and no form is both wanted and unnamed."""
    wanted, unnamed = ranking(header, OFFERS)
    assert set(wanted).isdisjoint(unnamed)
    assert set(wanted) | set(unnamed) <= set(OFFERS)
