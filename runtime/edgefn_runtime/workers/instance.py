"""An instance, from the box's side: its channel, the calls it holds, its end.

It runs a user's code, which may have taken over its channel. So each frame is checked against the messages that an
instance may send at that moment; the first that does not fit ends the instance and nothing else.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Protocol, cast

from edgefn.errors import InstanceLost
from edgefn_runtime.calls.answers import AnswerMemory
from edgefn_runtime.calls.artifact_errors import ArtifactBroken, blames, refused
from edgefn_runtime.calls.call import Call, Outcome, work_s
from edgefn_runtime.scheduling.lifecycle import InstanceState
from edgefn_runtime.wire.call_board import Board
from edgefn_runtime.wire.frames import MAX_ANSWER_BYTES, Buffer, FrameDecoder, FrameError, encode_frame
from edgefn_runtime.wire.messages import (
    MALFORMED,
    Answer,
    Batched,
    Binding,
    Compare,
    Crash,
    Failed,
    FromInstance,
    Hello,
    Invoke,
    Leaving,
    Ready,
    Refusal,
    Returned,
    Unacceptable,
    WrongAnswer,
    decode_from_instance,
    encode,
)
from edgefn_runtime.workers.child import Child, describe_exit
from edgefn_runtime.workers.incoming import LARGE_BYTES, LargeAnswer
from edgefn_runtime.workers.sockets import receive_with_pid

MAX_REASON = 500
"""The maximum number of characters of its report of an artifact."""

_NEWS = 2
"""The number of reports that an instance may send for each of its models, and for itself, besides one answer."""
_FIRST_WORDS = 4
_PIECES = 256
"""Reads that may pass without a whole frame, while none is large: an instance writes each at once."""
_NEWS_SAVED = 8
"""Of so many answers, where it has said nothing for a while."""


class Owner(Protocol):
    """The pool of an instance, which hears what happens to it."""

    def worked(self, seconds: float) -> None:
        """Record the seconds that an instance worked on a call."""

    def unseen(self, calls: list[Call]) -> None:
        """Take calls back that no handler has seen; they keep their order."""

    def freed(self, instance: Instance) -> None:
        """Record that a call was answered: the instance has room for another."""

    def answered_wrongly(self, artifact: str, reason: str) -> None:
        """Record that an artifact, named by its path, gave an invalid answer."""

    def ended(self, instance: Instance, unseen: list[Call]) -> None:
        """Record that the process is gone; take back the calls `unseen`, which no handler has seen.

        The calls that it had begun have failed.
        """


class Instance(asyncio.Protocol):
    """A process that serves. The pool makes it; `start` waits for its first message.

    `answers` is the memory that its unfinished answers share with those of all others.
    """

    def __init__(self, function: str, owner: Owner, answers: AnswerMemory) -> None:
        self._function = function
        self._owner = owner
        self._answers = answers
        self._large: LargeAnswer | None = None
        self._until_ended: asyncio.Task[None] | None = None
        self._news_left = self._news = _NEWS
        self._leaves = False
        self._pieces = 0
        self._loop = asyncio.get_running_loop()
        self._decoder = FrameDecoder(MAX_ANSWER_BYTES)
        self._transport: asyncio.Transport | None = None
        self._child: Child | None = None
        self._ending: asyncio.Task[None] | None = None
        self._last_id = 0
        self._board: Board | None = None
        self._revoked: tuple[int, int] | None = None
        self._were_revoked: set[int] = set()
        self._to_pass_over = 0
        self._outgoing: list[Buffer] = []
        self._garbled = ""
        self._asked_to_end = False
        self.progress_at = 0.0
        self._busy_s = self._busy_since = 0.0
        self.crash = ""
        """How it ended by itself while a handler ran; "" when it did not."""
        self.lost: list[Call] = []
        """The calls that it had begun and that ended with it, where it ended by itself."""
        self.handled = False
        """Whether a handler came to its end for the last answer: a refused input shows nothing."""
        self.calls: dict[int, Call] = {}
        self.state = InstanceState.STARTING
        self.ready = Ready()
        self.standalone = False
        self.serves: tuple[str, ...] = ()
        """The artifacts that it has loaded, by path."""
        self.models: frozenset[str] = frozenset()
        """The names of its models."""
        self._binding = ""
        self.describe: Callable[[int], str] = describe_exit
        self.served = 0
        self.first_run_s = 0.0
        self.batching: dict[str, Batched] = {}
        self.started_at = self.idle_since = time.monotonic()

    # ── start ────────────────────────────────────────────────────────────────────────────────────────────────

    async def start(
        self, end: socket.socket, board: Board, deadline_s: float, claim: Callable[[int], Child] = Child
    ) -> None:
        """Wait until the process is ready to serve.

        Raises DeploymentRefused (it does not load) or InstanceLost (it died). `claim` returns the child of a pid, which
        may be known already.
        """
        self._board, self._claim = board, claim
        self._news = _NEWS * (1 + len(self.models))
        self._news_left = self._news * _NEWS_SAVED
        try:
            self.ready = await asyncio.wait_for(self._handshake(end), deadline_s)
        except (OSError, EOFError, TimeoutError, *MALFORMED, FrameError) as error:
            end.close()
            late = isinstance(error, TimeoutError)
            how, blamed = ("did not start in time", True) if late else await self._how_it_ended()
            self._kill_unheard()
            text = f"an instance of {self._function} {how}; see `edgefn logs {self._function}`"
            if self._binding and blamed:
                raise ArtifactBroken(text, self._binding) from error
            raise InstanceLost(text) from error
        except BaseException:
            end.close()
            self._kill_unheard()
            raise
        end.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        await self._loop.connect_accepted_socket(lambda: self, end)
        self.idle_since = time.monotonic()
        if self.state is InstanceState.STARTING:  # only now: a call that comes earlier would find no transport
            self.state = InstanceState.READY

    def adopt(self, child: Child) -> None:
        """Take `child` as its process, known before its first message, because it was a template."""
        self._child, self.standalone = child, True
        child.first_to_go()

    async def _handshake(self, end: socket.socket) -> Ready:
        decoder, words = FrameDecoder(0), 0
        while True:
            data, pid = await self._first_bytes(end)
            if pid and self._child is None:
                self._child = self._claim(pid)
                self._child.first_to_go()
            for frame in decoder.feed(data):
                words += 1
                match decode_from_instance(frame.header):
                    case Ready() as ready if not decoder.missing:
                        return ready
                    case Binding(artifact) if words <= _FIRST_WORDS + self._news:
                        self._binding = artifact if artifact in self.serves else ""
                    case Failed(reason, trace, artifact):
                        named = artifact if artifact in self.serves else ""  # another is not its own to speak of
                        raise refused(f"{self._function} cannot be loaded: {reason}", named, trace)
                    case Hello() if words <= _FIRST_WORDS:
                        pass
                    case other:
                        raise FrameError(f"{type(other).__name__} from a starting instance")

    async def _first_bytes(self, end: socket.socket) -> tuple[bytes, int]:
        readable = asyncio.Event()
        self._loop.add_reader(end, readable.set)
        try:
            await readable.wait()
        finally:
            self._loop.remove_reader(end)
        data, pid = receive_with_pid(end, 1 << 16)
        if not data:
            raise EOFError
        return data, pid

    async def _how_it_ended(self) -> tuple[str, bool]:
        """Return how it ended, in words, and whether loading the artifact was the cause."""
        if self._child is None:
            return "died during its start", False
        status = await self._child.end()
        return self.describe(status), blames(self._binding, status)

    def _kill_unheard(self) -> None:
        self.state = InstanceState.ENDED
        if self._child is not None:
            self._child.kill()

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def pid(self) -> int:
        return self._child.pid if self._child is not None else 0

    @property
    def busy_s(self) -> float:
        """Return the seconds in which it had work."""
        return self._busy_s + (time.monotonic() - self._busy_since if self.calls and self._busy_since else 0.0)

    def send(self, call: Call) -> None:
        """Send the call to the process; the answer comes through the call's future."""
        assert self._transport is not None
        self._last_id = number = self._last_id + 1
        call.instance, call.number = self, number
        call.sent = time.monotonic()
        if not self.calls:
            self.progress_at = self._busy_since = call.sent
        self.calls[number] = call
        header = encode(
            Compare(number, call.deadline)
            if call.compares
            else Invoke(number, call.deadline, call.content_type, call.query, call.accept, call.encoding)
        )
        if not self._outgoing:
            self._loop.call_soon(self._flush)  # with what else comes in this turn of the loop: one system call
        self._outgoing += encode_frame(header, *(call.body if isinstance(call.body, list) else (call.body,)))

    def _flush(self) -> None:
        pieces, self._outgoing = self._outgoing, []
        if self._transport is not None and not self._transport.is_closing():
            self._transport.writelines(pieces)  # else it is dead and will be told so: the calls come back unseen

    def has_begun(self, call: Call) -> bool:
        """Tell whether a handler may have seen the call."""
        return self._board is None or call.number <= self._board.entered

    @property
    def stuck(self) -> bool:
        """Tell whether it has yet to pass over revoked calls: any other call would wait behind them."""
        return self._revoked is not None or self._to_pass_over > 0

    @property
    def stopped(self) -> bool:
        """Tell whether the process is stopped, by SIGSTOP or a debugger."""
        return self._child is not None and self._child.stopped

    def deaf(self, for_s: float = 0.0) -> bool:
        """Tell whether it has held calls for `for_s` seconds and begun none: ending it would lose no work."""
        quiet = time.monotonic() - self.progress_at >= for_s
        return quiet and bool(self.calls) and not any(map(self.has_begun, self.calls.values()))

    def revoke(self) -> None:
        """Revoke the calls that are not begun; `take_back` returns them, after SETTLE_S."""
        assert self._board is not None
        first = self._board.entered + 1
        self._revoked = (first, self._last_id)
        self._board.revoke(*self._revoked)
        # Those of earlier ranges may still come back: it has passed them over, and its word is on the way.
        self._were_revoked = {number for number in self.calls if number >= first or number in self._were_revoked}

    def take_back(self) -> list[Call]:
        """Return the revoked calls that were not begun, in their order.

        The instance gets no other call until it has passed them over.
        """
        if self._revoked is None or self._board is None or self.state is InstanceState.ENDED:
            return []
        (first, last), self._revoked = self._revoked, None
        numbers = range(max(first, self._board.entered + 1), last + 1)
        taken = [call for number in numbers if (call := self.calls.pop(number, None)) is not None]
        self._to_pass_over += len(taken)
        return taken

    def retire(self) -> None:
        """End the instance after it has answered the calls that callers still wait for; it takes no more."""
        if self.state is InstanceState.READY:
            self.state = InstanceState.DRAINING
        if not self.calls and self._transport is not None:
            self._transport.close()
        elif all(call.future.done() for call in self.calls.values()):
            self.kill()  # what it still does hangs, or nobody waits for it

    def kill(self) -> None:
        """Kill the process at once; the calls it holds fail."""
        self._asked_to_end = True
        if self._child is not None:
            self._child.kill()

    async def finish(self, within_s: float) -> None:
        """Wait up to `within_s` for the answers that callers wait for; return when the process is gone.

        Calls that are left then are killed with the process.
        """
        deadline = time.monotonic() + within_s
        while self.calls and time.monotonic() < deadline:
            held = [call.future for call in self.calls.values() if not call.future.done()]
            if not held:
                break
            await asyncio.wait(held, timeout=deadline - time.monotonic())
            await asyncio.sleep(0)
        if self.calls:
            self.kill()
        await self.wait_ended()

    async def wait_ended(self) -> None:
        """Wait until the process is gone and reaped."""
        if self._child is not None:
            await self._child.end()
        if self._ending is not None:
            await asyncio.shield(self._ending)

    # ── asyncio.Protocol ─────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._garbled:
            return  # it is killed; what it has still written is no answer
        try:
            self._take(data)
        except (FrameError, *MALFORMED) as error:
            self._end_for(str(error))

    def _take(self, data: bytes) -> None:
        if self._large is not None:
            data = self._large.take(data)
            if self._large.missing:
                return
            large, self._large = self._large, None
            self._answered(large.reply.id, large.finish())
        frames = self._decoder.feed(data) if data else ()
        self._pieces = 0 if frames else self._pieces + 1
        if self._pieces > _PIECES:
            raise FrameError(f"a frame in more than {_PIECES} pieces")
        for frame in frames:
            self._hear(decode_from_instance(frame.header), frame.body)
        if self._decoder.missing > LARGE_BYTES and (begun := self._decoder.begun) is not None:
            self._begin_large(*begun)

    def _begin_large(self, header: bytes, size: int) -> None:
        """Collect a large answer, now or when there is memory for it; until then nothing more of it is read."""
        reply = decode_from_instance(header)
        if not isinstance(reply, Answer) or reply.id not in self.calls:
            raise FrameError(f"an unrequested {type(reply).__name__} with {size} bytes")
        assert self._transport is not None
        self._large = LargeAnswer(self._function, self._answers, reply, size, self._transport, self._end_for)
        self._large.take(self._decoder.let_go())
        if not self._large.has_room:
            self._until_ended = self._until_ended or self._loop.create_task(self._abort_when_ended())

    async def _abort_when_ended(self) -> None:
        """Close the transport when the process ends: the end of a stream that is not read goes unnoticed."""
        assert self._child is not None
        assert self._transport is not None
        await self._child.wait()
        self._transport.abort()

    def _hear(self, message: FromInstance, body: bytes) -> None:
        match message:
            case Answer() | Refusal() | Unacceptable() | Crash() as reply:
                self._answered(reply.id, Outcome(reply, body))
            case Returned(number):
                self._passed_over(number)
            case Batched() | WrongAnswer() | Leaving() as news:
                self._told(news)
            case _:
                raise FrameError(f"{type(message).__name__} from a serving instance")

    def _told(self, news: Batched | WrongAnswer | Leaving) -> None:
        self._news_left -= 1
        if self._news_left < 0:
            raise FrameError(f"{type(news).__name__} more often than its calls can cause")
        match news:
            case Batched(model) if model in self.models:
                self.batching[model] = news
            case WrongAnswer(artifact, reason) if artifact in self.serves:
                self._owner.answered_wrongly(artifact, reason[:MAX_REASON])
            case Leaving():
                self._leave()
            case _:
                pass

    def _end_for(self, why: str) -> None:
        """End it, because it broke the protocol: a handler wrote to a descriptor that is not its own."""
        self.kill()
        self._garbled, self._asked_to_end = why, False
        if self._transport is not None:
            self._transport.abort()

    def _leave(self) -> None:
        """Let the instance answer the calls it holds, and end, because its handler leaks; it takes no more."""
        self._leaves = True
        if self.state is InstanceState.READY:
            self.state = InstanceState.DRAINING
            if not self.calls:
                self.retire()

    def _answered(self, number: int, outcome: Outcome) -> None:
        call = self.calls.pop(number, None)
        if call is None:
            raise FrameError(f"an answer to call {number}, which it does not have")
        self.served += 1
        self._news_left = min(self._news_left + self._news, self._news * _NEWS_SAVED)
        self.handled = not isinstance(outcome.reply, Refusal)
        if self.served == 1 and isinstance(outcome.reply, Answer):
            self.first_run_s = outcome.reply.run_s
        self._owner.worked(work_s(outcome.reply))
        call.succeed(outcome)
        self._progressed()

    def _passed_over(self, number: int) -> None:
        call = self.calls.get(number)
        self.handled = False
        if call is not None:  # its time was up, or it was revoked and came back before it was fetched
            if not self._may_return(call):
                raise FrameError(f"a return of call {number}, which it has already started")
            del self.calls[number]
            self._owner.unseen([call])
        elif self._to_pass_over > 0:
            self._to_pass_over -= 1
        else:
            raise FrameError(f"a return of call {number}, which it does not have")
        self._progressed()

    def _may_return(self, call: Call) -> bool:
        return self._leaves or call.number in self._were_revoked or time.monotonic() >= call.deadline

    def _progressed(self) -> None:
        self.progress_at = time.monotonic()
        if not self.calls:
            self.idle_since = self.progress_at
            if self._busy_since:
                self._busy_s += self.progress_at - self._busy_since
                self._busy_since = 0.0
        if self.state is InstanceState.DRAINING:
            self.retire()
        self._owner.freed(self)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.state is InstanceState.READY:
            self.state = InstanceState.DRAINING  # it is handed nothing more, however long its end takes
        if self._large is not None:
            self._large.drop()
            self._large = None
        self._ending = self._loop.create_task(self._ended())

    async def _ended(self) -> None:
        assert self._child is not None
        status = await self._child.end()
        self.state = InstanceState.ENDED
        reading = self._board is not None and self._board.reading and not self._garbled
        lost = InstanceLost(
            f"the instance of {self._function} {self._how(status)} while it {'read' if reading else 'held'} the "
            f"request; see `edgefn logs {self._function}`"
        )
        unseen = [call for call in self.calls.values() if not self.has_begun(call)]
        begun = [call for call in self.calls.values() if self.has_begun(call)]
        self.lost = begun if not self._asked_to_end else []
        if self._garbled:
            self.crash = self._how(status)
        elif self.lost and not reading:  # no handler is to blame for what it never saw
            self.crash = describe_exit(status)
        for call in begun:
            call.fail(lost)
        self.calls.clear()
        if self._board is not None:
            self._board.release()
            self._board = None
        self._owner.ended(self, unseen)

    def _how(self, status: int) -> str:
        if self._garbled:
            return f"sent an invalid answer ({self._garbled})"
        assert self._child is not None
        return describe_exit(status) if self._child.killed else self.describe(status)
