"""Frames survive any cutting of the stream, and refuse what is too large before collecting it."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edgefn_runtime.wire import messages
from edgefn_runtime.wire.frames import MAX_HEADER_BYTES, PREFIX, FrameDecoder, FrameError, encode_frame

FRAMES = st.lists(st.tuples(st.binary(max_size=50), st.binary(max_size=200)), max_size=6)


def joined(frames: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(bytes(piece) for header, body in frames for piece in encode_frame(header, body))


@given(FRAMES, st.lists(st.integers(1, 80), min_size=1, max_size=20))
def test_frames_come_out_as_they_went_in_however_the_stream_is_cut(
    frames: list[tuple[bytes, bytes]], cuts: list[int]
) -> None:
    """decode(cut(encode(frames))) == frames, for every cut."""
    stream, decoder, seen, position = joined(frames), FrameDecoder(1000), [], 0
    while position < len(stream):
        size = cuts[position % len(cuts)]
        seen += decoder.feed(stream[position : position + size])
        position += size
    assert [tuple(frame) for frame in seen] == frames
    assert decoder.missing == 0


@given(FRAMES)
def test_several_frames_in_one_piece_all_come_out(frames: list[tuple[bytes, bytes]]) -> None:
    """One read of the socket may hold many frames."""
    assert [tuple(frame) for frame in FrameDecoder(1000).feed(joined(frames))] == frames


@given(st.binary(max_size=300))
def test_any_bytes_give_frames_or_a_frame_error(data: bytes) -> None:
    """A child that writes garbage cannot crash the box."""
    decoder = FrameDecoder(100)
    try:
        for frame in decoder.feed(data):
            assert len(frame.body) <= 100
    except FrameError:
        pass


@pytest.mark.parametrize(("header", "body"), [(MAX_HEADER_BYTES + 1, 0), (0, 1001), (2**32 - 1, 2**32 - 1)])
def test_a_frame_that_declares_too_much_is_refused_from_its_prefix(header: int, body: int) -> None:
    """Nothing is allocated for a frame that would be refused."""
    with pytest.raises(FrameError):
        FrameDecoder(1000).feed(PREFIX.pack(header, body))


def test_missing_tells_how_much_of_a_frame_is_still_to_come() -> None:
    """A reader may size its next read by it."""
    stream = joined([(b"head", b"body!")])
    decoder = FrameDecoder(1000)
    decoder.feed(stream[:3])
    assert decoder.missing == PREFIX.size - 3
    decoder.feed(stream[3:-2])
    assert decoder.missing == 2


@given(st.binary(max_size=50), st.binary(min_size=1, max_size=200), st.data())
def test_a_body_that_has_begun_can_be_filled_in_place(header: bytes, body: bytes, data: st.DataObject) -> None:
    """hand_over + the missing bytes is the frame, once its header is there; the decoder goes on with the next one."""
    stream, decoder = joined([(header, body)]), FrameDecoder(1000)
    begun = data.draw(st.integers(PREFIX.size, len(stream) - 1))
    assert decoder.feed(stream[:begun]) == []
    handed = decoder.hand_over()
    if begun < PREFIX.size + len(header):
        assert handed is None
        assert [tuple(frame) for frame in decoder.feed(stream[begun:])] == [(header, body)]
        return
    assert handed is not None
    head, place, filled = handed
    assert (head, len(place), filled) == (header, len(body), begun - PREFIX.size - len(header))
    place[filled:] = stream[begun:]
    assert place == body
    assert [tuple(frame) for frame in decoder.feed(stream)] == [(header, body)]


def test_messages_are_plain_msgpack_arrays() -> None:
    """Another implementation of msgpack reads the wire: [tag, fields...]."""
    invoke = messages.Invoke(7, 1.5, "image/jpeg", "a=1", "application/json")
    wire = msgpack.unpackb(messages.encode(invoke))
    assert wire == ["invoke", 7, 1.5, "image/jpeg", "a=1", "application/json", ""]


@given(st.binary(max_size=100))
@example(b"\x91\xa1\x80")  # a tag that is not UTF-8
def test_what_is_no_message_is_told_as_malformed(data: bytes) -> None:
    """The box's side expects these exceptions, and no others, of a child that speaks badly."""
    try:
        message = messages.decode_from_instance(data)
    except messages.MALFORMED:
        return
    assert isinstance(message, messages.FromInstance)


@given(st.binary(max_size=60), st.integers(0, 5000), st.data())
def test_a_large_frame_can_be_let_go_of_once_it_has_begun(header: bytes, size: int, data: st.DataObject) -> None:
    """begun tells its header and size as soon as they are there; let_go gives what came of its body, and no more."""
    body = bytes(range(256)) * 20
    stream, decoder = joined([(header, body[:size])]), FrameDecoder(10_000)
    cut = data.draw(st.integers(0, len(stream) - 1))
    decoder.feed(stream[:cut])
    if cut < PREFIX.size + len(header):
        assert decoder.begun is None
        return
    assert decoder.begun == (header, size)
    missing = decoder.missing
    part = decoder.let_go()
    assert part + stream[len(stream) - missing :] == body[:size]
    assert decoder.missing == 0


NUMBERS = st.one_of(st.floats(), st.integers(-(2**63), 2**64 - 1), st.none(), st.booleans())
VALUES = st.recursive(
    st.one_of(NUMBERS, st.text(max_size=20), st.binary(max_size=20)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=4,
)
TAGS = (
    "answer",
    "refusal",
    "unacceptable",
    "crash",
    "returned",
    "batched",
    "wrong",
    "leaving",
    "hello",
    "ready",
    "failed",
)


@settings(max_examples=50)
@given(st.sampled_from(TAGS), st.lists(VALUES, max_size=8))
def test_a_message_of_any_values_is_a_message_or_malformed(tag: str, values: list[object]) -> None:
    """What is taken has durations that can be added up: none is negative, infinite or not a number."""
    try:
        message = messages.decode_from_instance(msgpack.packb([tag, *values]))
    except messages.MALFORMED:
        return
    for name in ("decode_s", "run_s", "encode_s", "import_s", "session_s", "sandbox_s"):
        assert 0 <= getattr(message, name, 0.0) <= 1e9
