"""Frames on a byte stream: a message and a raw body, sans-I/O.

    u32 header length │ u32 body length │ header (msgpack) │ body (bytes, as they came over HTTP)

Lengths are big-endian. The body is not msgpack: a photo or a tensor goes through without being copied into
another encoding.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from edgefn import spec

PREFIX = struct.Struct("!II")
MAX_HEADER_BYTES = 1 << 17
"""Of a frame from an instance: four times MAX_TEXT for a handler's traceback, and room for what is around it."""

MAX_ANSWER_BYTES = spec.MAX_ANSWER_BYTES
"""The box holds each until its client has taken it, and answers of all functions together are
bounded, too (`pool.answers`)."""

GULP_BYTES = 1 << 19
"""After so much of a message others have a turn of the event loop: a socket is read for as long as it has something."""

TRUSTED_BYTES = 2**32
"""The bound where the peer is the box: it has checked the sizes already."""


class FrameError(Exception):
    """The peer does not speak the protocol; nothing after this byte can be trusted."""


class Frame(NamedTuple):
    """One message's header and body."""

    header: bytes
    body: bytes


Buffer = bytes | bytearray | memoryview


def encode_frame(header: bytes, *body: Buffer) -> list[Buffer]:
    """Encode a frame as pieces, to be written one after the other; those of the body are not copied."""
    size = sum(map(len, body))
    prefix = PREFIX.pack(len(header), size) + header
    return [prefix, *body] if size else [prefix]


class FrameDecoder:
    """Turns the bytes of a stream into frames, whatever pieces they arrive in.

    A frame whose header or body is declared larger than allowed raises FrameError before it is collected, so a
    peer cannot make this side allocate more than `max_body_bytes`.
    """

    def __init__(self, max_body_bytes: int, max_header_bytes: int = MAX_HEADER_BYTES) -> None:
        self._max_body_bytes = max_body_bytes
        self._max_header_bytes = max_header_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that `data` completes, in order."""
        buffer = self._buffer
        if not buffer:
            frame = self._whole(data)  # nearly every answer arrives alone and in one piece
            if frame is not None:
                return [frame]
        buffer += data
        frames: list[Frame] = []
        start = 0
        while True:
            end = self._end(buffer, start)
            if end is None or end > len(buffer):
                break
            frames.append(self._cut(memoryview(buffer)[start:end]))
            start = end
        if start:
            del buffer[:start]
        return frames

    @property
    def missing(self) -> int:
        """Return the bytes still to come of the unfinished frame, as far as is known; 0 between frames."""
        if not self._buffer:
            return 0
        end = self._end(self._buffer, 0)
        return (PREFIX.size if end is None else end) - len(self._buffer)

    @property
    def begun(self) -> tuple[bytes, int] | None:
        """Return the header of the unfinished frame and the size of its body; None until the header is there."""
        if len(self._buffer) < PREFIX.size:
            return None
        header, size = PREFIX.unpack_from(self._buffer)
        middle = PREFIX.size + header
        return (bytes(self._buffer[PREFIX.size : middle]), size) if len(self._buffer) >= middle else None

    def let_go(self) -> bytes:
        """Forget the unfinished frame, once it has `begun`; return the part of its body that is there.

        The rest of it is the caller's to read.
        """
        header, _ = PREFIX.unpack_from(self._buffer)
        with memoryview(self._buffer) as view:
            part = bytes(view[PREFIX.size + header :])
        self._buffer.clear()
        return part

    def hand_over(self) -> tuple[bytes, bytearray, int] | None:
        """Hand the unfinished frame over: its header, a buffer for its whole body, the bytes filled of it.

        Returns None where the header is not there yet. The caller fills the rest of the body. The buffer is as large as
        the frame declares: where the peer is not trusted, the caller has looked at `begun` before. Raises MemoryError,
        and nothing has changed.
        """
        header, size = PREFIX.unpack_from(self._buffer)
        middle = PREFIX.size + header
        filled = len(self._buffer) - middle
        if filled < 0:
            return None
        body = bytearray(size)
        with memoryview(self._buffer) as view:
            body[:filled] = view[middle:]
            head = bytes(view[PREFIX.size : middle])
        self._buffer.clear()
        return head, body, filled

    def _whole(self, data: bytes) -> Frame | None:
        return self._cut(data) if self._end(data, 0) == len(data) else None

    def _end(self, data: bytes | bytearray, start: int) -> int | None:
        if len(data) - start < PREFIX.size:
            return None
        header, body = PREFIX.unpack_from(data, start)
        if header > self._max_header_bytes or body > self._max_body_bytes:
            raise FrameError(
                f"a frame declares a header of {header} and a body of {body} bytes; "
                f"the most are {self._max_header_bytes} and {self._max_body_bytes}"
            )
        return start + PREFIX.size + int(header) + int(body)

    @staticmethod
    def _cut(data: Buffer) -> Frame:
        header, _ = PREFIX.unpack_from(data)
        middle = PREFIX.size + header
        with memoryview(data) as view:
            return Frame(bytes(view[PREFIX.size : middle]), bytes(view[middle:]))
