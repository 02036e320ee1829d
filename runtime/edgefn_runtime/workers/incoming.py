"""A large answer from an instance: collected in place, in memory that was taken for all of it."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

from edgefn_runtime.calls.answers import AnswerMemory
from edgefn_runtime.calls.call import Outcome
from edgefn_runtime.wire.frames import GULP_BYTES
from edgefn_runtime.wire.messages import Answer

LARGE_BYTES = 1 << 16
"""Of a frame with more to come than this the rest is collected here; smaller ones lie in the decoder's own buffer."""

FINISH_S = 10.0
RATE_BYTES = 2**20
"""An answer whose instance is not at its end after FINISH_S, and a second for each RATE_BYTES of it, never will be: it
lies ready where it comes from."""


class LargeAnswer:
    """`reply` and its body of `size` bytes. Where the rest does not come, `end` ends the instance, with the reason."""

    def __init__(
        self,
        function: str,
        memory: AnswerMemory,
        reply: Answer,
        size: int,
        transport: asyncio.Transport,
        end: Callable[[str], None],
    ) -> None:
        self.reply = reply
        self.missing = size
        self._function = function
        self._memory = memory
        self._size = size
        self._transport = transport
        self._end = end
        self._timer: asyncio.TimerHandle | None = None
        self._gulp = 0
        self._body = io.BytesIO()
        self.has_room = memory.take(function, size, self._go_on)
        if self.has_room:
            self._begin()
        else:
            transport.pause_reading()

    def take(self, data: bytes) -> bytes:
        """Add the part of `data` that belongs to the answer; return the rest."""
        own = data[: self.missing] if len(data) > self.missing else data
        self._body.write(own)
        self.missing -= len(own)
        self._gulp += len(own)
        if self._gulp >= GULP_BYTES and self.missing:
            self._gulp = 0
            self._transport.pause_reading()
            asyncio.get_running_loop().call_soon(self._read_on)
        return data[len(own) :]

    def finish(self) -> Outcome:
        """Return the whole answer, which is the call's from now on."""
        self.drop()
        return Outcome(self.reply, self._body.getvalue())  # no copy: nobody else has the buffer

    def drop(self) -> None:
        """Release the memory, or stop waiting for it."""
        if self._timer is not None:
            self._timer.cancel()
        if self.has_room:
            self._memory.give_back(self._function, self._size)
        else:
            self._memory.forget(self._go_on)
        self.has_room = False

    def _go_on(self) -> None:
        self.has_room = True
        self._begin()
        self._read_on()

    def _read_on(self) -> None:
        if self.has_room and not self._transport.is_closing():
            self._transport.resume_reading()

    def _begin(self) -> None:
        came, self._body = self._body.getvalue(), io.BytesIO(bytes(self._size))  # all of it at once: it never moves
        self._body.write(came)
        wait_s = FINISH_S + self._size / RATE_BYTES
        self._timer = asyncio.get_running_loop().call_later(
            wait_s, self._end, f"an answer of {self._size} bytes of which {wait_s:.0f} s brought only a part"
        )
