"""Texts of any length and of any characters reach the box whole enough, and never cost an instance its channel."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from edgefn.text.bounded import MAX_REASON, MAX_TEXT, fit
from edgefn_runtime.wire import messages
from edgefn_runtime.wire.frames import MAX_HEADER_BYTES

ANY = st.text(st.characters(codec=None), max_size=300)
"""Lone surrogates, too."""


@given(ANY, st.integers(100, 200))
def test_a_text_is_as_long_as_it_may_be_and_is_utf_8(text: str, most: int) -> None:
    """Its beginning and its end stay; what UTF-8 does not have becomes a question mark."""
    found = fit(text, most)
    found.encode()
    assert len(found) <= most
    whole = text.encode("utf-8", "replace").decode()
    assert found == whole if len(text) <= most else (found[:10], found[-10:]) == (whole[:10], whole[-10:])


@given(ANY, ANY, st.lists(ANY, max_size=3))
def test_a_message_with_any_text_is_read(trace: str, field: str, available: list[str]) -> None:
    """Of each kind of text that an instance sends: encoded and decoded it is the same, but for what UTF-8 has not."""
    for message in (
        messages.Crash(1, trace, 0.5, 0.5),
        messages.Refusal(1, "InputError", trace, field, 0.5),
        messages.Unacceptable(1, trace, tuple(available), 0.5, 0.5),
        messages.Failed(trace, field, "model"),
        messages.Batched(field, True, 1.0, 1.0),
    ):
        found = messages.decode_from_instance(messages.encode(message))
        assert type(found) is type(message)
        told = [text.encode("utf-8", "replace").decode() for text in (trace, field, *available)]
        texts = [value for value in msgspec.to_builtins(found)[1:] if isinstance(value, str)]
        assert all(text in [*told, "InputError", "model"] for text in texts)


def test_the_longest_texts_fit_into_a_header() -> None:
    """Whatever a handler raises, in characters of four bytes each: its frame is one that the box takes."""
    long = "\U0001f600" * 10**6
    crash = messages.Crash(2**63, fit(long), 1.5, 1.5)
    refusal = messages.Refusal(2**63, "InputError", fit(long, MAX_REASON), fit(long, MAX_REASON), 1.5)
    assert len(messages.encode(crash)) - 100 < 4 * MAX_TEXT
    for message in (crash, refusal):
        assert len(messages.encode(message)) < MAX_HEADER_BYTES
