"""The instance's end of its socketpair: requests in, replies out, and the board that shows its progress.

Blocking. While further requests are already here, replies are gathered: a run of short calls then costs one system
call a batch and not two a call.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
import sys
import threading
import time
from collections import deque

from edgefn_runtime.wire.call_board import SIZE, Board
from edgefn_runtime.wire.frames import TRUSTED_BYTES, Buffer, FrameDecoder, encode_frame
from edgefn_runtime.wire.messages import (
    Asked,
    Batched,
    Binding,
    Failed,
    Hello,
    Leaving,
    Ready,
    Reply,
    Returned,
    WrongAnswer,
    decode_invoke,
    encode,
)

_READ_BYTES = 1 << 16
_GATHERED_BYTES = 1 << 16

Message = Reply | Returned | Leaving | Batched | WrongAnswer | Hello | Binding | Ready | Failed

Body = bytes | bytearray | None
"""A request's body; a bytearray is the request's own, to be used as it lies. None where this process has no memory for
it: it was read and dropped."""


class Channel:
    """A channel that one thread reads. `send` is safe from any thread; `gather` and `flush` belong to the reader."""

    def __init__(self, descriptor: int, board_descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._decoder = FrameDecoder(TRUSTED_BYTES, TRUSTED_BYTES)
        self._frames: deque[tuple[bytes, Body]] = deque()
        self._writing = threading.Lock()
        self._gathered: list[Buffer] = []
        self._gathered_bytes = 0
        self.board = Board(memoryview(mmap.mmap(board_descriptor, SIZE)))
        os.close(board_descriptor)

    def receive(self) -> tuple[Asked, Body] | None:
        """Return the next request, or None when the box has closed its end."""
        while not self._frames:
            begun = self._decoder.begun if self._decoder.missing > _READ_BYTES else None
            if begun is not None:
                if not self._receive_large(begun[0]):
                    return None
            elif data := self._socket.recv(_READ_BYTES):
                self._frames.extend(self._decoder.feed(data))
            else:
                return None
        header, body = self._frames.popleft()
        return decode_invoke(header), body

    def _receive_large(self, header: bytes) -> bool:
        """Read the rest of a large frame; False when the box is gone."""
        try:
            large = self._decoder.hand_over()
        except MemoryError:
            return self._pass_over(header)
        assert large is not None
        return self._fill(*large)

    def _pass_over(self, header: bytes) -> bool:
        """Read and drop the rest of a body that does not fit into memory; only its own call is refused."""
        missing = self._decoder.missing
        self._decoder.let_go()
        while missing:
            data = self._socket.recv(min(missing, _READ_BYTES))
            if not data:
                return False
            missing -= len(data)
        self._frames.append((header, None))
        return True

    def _fill(self, header: bytes, body: bytearray, filled: int) -> bool:
        """Read the rest of a large body straight into its buffer; return False when the box is gone."""
        with memoryview(body) as view:
            while filled < len(body):
                count = self._socket.recv_into(view[filled:])
                if not count:
                    return False
                filled += count
        self._frames.append((header, body))
        return True

    def admits(self, invoke: Asked) -> bool:
        """Enter the call on the board; return False when the box has taken it back or its deadline has passed."""
        return self.board.enter(invoke.id) and time.monotonic() < invoke.deadline

    @property
    def more(self) -> bool:
        """Tell whether another request was read already."""
        return bool(self._frames)

    def send(self, message: Message, body: Buffer = b"") -> None:
        """Write a whole frame; raises OSError when the box is gone."""
        with self._writing:
            for piece in encode_frame(encode(message), body):
                self._socket.sendall(piece)

    def gather(self, message: Message, body: Buffer = b"") -> None:
        """Keep the frame for the next `flush`; flush at once when many bytes have come together."""
        self._gathered += encode_frame(encode(message), body)
        self._gathered_bytes += len(body)
        if self._gathered_bytes > _GATHERED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write all gathered frames; raises OSError when the box is gone."""
        if not self._gathered:
            return
        pieces, size, self._gathered, self._gathered_bytes = self._gathered, self._gathered_bytes, [], 0
        if size <= _GATHERED_BYTES and len(pieces) > 1:
            pieces = [b"".join(pieces)]  # of larger ones there may be no room for a copy
        for piece in pieces:
            self._socket.sendall(piece)


def flush_logs() -> None:
    """Flush what the handler has printed."""
    with contextlib.suppress(Exception):  # a handler may have put anything in its place, or nothing
        sys.stdout.flush()
