"""One request inside an instance: decode → handler → encode, timed, with every failure turned into a reply.

Nothing in a request and nothing that a handler raises ends the process: otherwise neither its caller nor the others
would get an answer. A failure before the handler sees the request is the caller's fault, and answered as a refusal,
unless a type of the author's own raised it.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from edgefn.codec.request.signature import TOO_LARGE, Request
from edgefn.codec.result.results import encode
from edgefn.errors import BodyTooLarge, InputError, NotAcceptable
from edgefn.function import EdgeFunction
from edgefn.text.bounded import MAX_REASON, fit
from edgefn_runtime.child.batcher import InFlightCalls
from edgefn_runtime.child.program import user_trace
from edgefn_runtime.wire.call_board import Board
from edgefn_runtime.wire.frames import MAX_ANSWER_BYTES
from edgefn_runtime.wire.messages import (
    Answer,
    Asked,
    Compare,
    Crash,
    Invoke,
    Refusal,
    Reply,
    Unacceptable,
    WrongAnswer,
)

if TYPE_CHECKING:
    import asyncio

    from edgefn_runtime.child.channel import Body


class Service:
    """A loaded function, ready to serve: a request and its body in, a reply and its body out.

    Where there is a `board`, the number of requests that are being read is kept on it.
    """

    def __init__(
        self,
        function: EdgeFunction[..., object],
        code: str,
        crowd: InFlightCalls | None = None,
        wrong: list[WrongAnswer] | None = None,
        board: Board | None = None,
        concurrency: int = 1,
    ) -> None:
        self._board = board
        self._reading = 0
        self._counting = threading.Lock()
        self._mark: Callable[[int], None] | None = None
        if board is not None:  # an event loop reads one request at a time, too
            self._mark = self._count_reading if concurrency > 1 else board.read
        self.crowd = crowd or InFlightCalls()
        self._wrong = [] if wrong is None else wrong
        self._function = function
        self._signature = function.signature
        self._handler = function.handler
        self._max_body = function.spec.max_body_bytes
        self._ignores_query = function.spec.unknown_query == "ignore"
        self._code = code
        self.is_async = inspect.iscoroutinefunction(function.handler)
        self._runner = _runner() if self.is_async else None

    def call(self, invoke: Asked, body: Body) -> tuple[Reply, bytes]:
        """Serve one request, or one golden question, to its end in this thread."""
        if isinstance(invoke, Compare):
            return self._compare(invoke, body or b"")
        arguments, decoded, refusal = self._decode(invoke, body)
        if refusal is not None:
            return refusal, b""
        started = time.perf_counter()
        try:
            result = self._handler(**arguments)
            if self._runner is not None:
                result = self._runner.run(_awaited(cast("Awaitable[object]", result)))
            return self._answer(invoke, result, decoded, started)
        except BaseException as error:  # sys.exit(), too, which argparse calls for what a caller sent
            del arguments  # there may be too little memory to tell what was raised beside them
            return self._failure(invoke, error, decoded, started), b""

    async def call_async(self, invoke: Asked, body: Body) -> tuple[Reply, bytes]:
        """Serve one request as `call` does, for an `async` handler on a running loop, beside other requests."""
        if isinstance(invoke, Compare):
            return await self._compare_async(invoke, body or b"")
        arguments, decoded, refusal = self._decode(invoke, body)
        if refusal is not None:
            return refusal, b""
        started = time.perf_counter()
        try:
            result = await cast("Awaitable[object]", self._handler(**arguments))
            return self._answer(invoke, result, decoded, started)
        except BaseException as error:  # its cancellation, too: a handler may cancel its own task
            del arguments
            return self._failure(invoke, error, decoded, started), b""

    def wrong(self) -> list[WrongAnswer]:
        """Return the reports of wrong answers for the box, once; send them before the reply."""
        if not self._wrong:
            return []
        found = self._wrong[:]
        del self._wrong[: len(found)]
        return found

    def _compare(self, question: Compare, body: bytes | bytearray) -> tuple[Reply, bytes]:
        from edgefn_runtime.child.comparing import Comparison

        comparison, started = Comparison(self._function, body), time.perf_counter()
        try:
            result = self._handler(**comparison.arguments)
            if self._runner is not None:
                result = self._runner.run(_awaited(cast("Awaitable[object]", result)))
            found = comparison.judged(result)
        except BaseException as error:
            found = comparison.raised(error)
        return Answer(question.id, "", 0.0, time.perf_counter() - started, 0.0), found

    async def _compare_async(self, question: Compare, body: bytes | bytearray) -> tuple[Reply, bytes]:
        from edgefn_runtime.child.comparing import Comparison

        comparison, started = Comparison(self._function, body), time.perf_counter()
        try:
            found = comparison.judged(await cast("Awaitable[object]", self._handler(**comparison.arguments)))
        except BaseException as error:
            found = comparison.raised(error)
        return Answer(question.id, "", 0.0, time.perf_counter() - started, 0.0), found

    def _decode(self, invoke: Invoke, body: Body) -> tuple[dict[str, Any], float, Refusal | Crash | None]:
        """Return the arguments, the seconds that reading them took, and the reply where reading failed."""
        started = time.perf_counter()
        mark = self._mark
        if mark is not None:
            mark(1)
        try:
            if body is None:
                raise MemoryError
            request = Request(
                invoke.content_type, body, invoke.query, invoke.encoding, self._max_body, self._ignores_query
            )
            arguments = self._signature.decode(request)
        except InputError as error:
            decoded = time.perf_counter() - started
            return {}, decoded, _refusal(invoke, error, decoded)
        except MemoryError:
            decoded = time.perf_counter() - started
            return {}, decoded, _refusal(invoke, BodyTooLarge(TOO_LARGE), decoded)
        except BaseException as error:  # of a type of the author's own that checks what it is made of
            decoded = time.perf_counter() - started
            return {}, decoded, Crash(invoke.id, self._trace(error), decoded, 0.0)
        finally:
            if mark is not None:
                mark(0)
        return arguments, time.perf_counter() - started, None

    def _count_reading(self, begins: int) -> None:
        assert self._board is not None
        with self._counting:
            self._reading += 1 if begins else -1
            self._board.read(self._reading)

    def _answer(self, invoke: Invoke, result: object, decoded: float, started: float) -> tuple[Reply, bytes]:
        ran = time.perf_counter()
        content_type, body = encode(result, self._signature.result, invoke.accept)
        encoded = time.perf_counter()
        if len(body) > MAX_ANSWER_BYTES:
            raise ValueError(f"the answer has {len(body)} bytes; an answer may have {MAX_ANSWER_BYTES}")
        return Answer(invoke.id, content_type, decoded, ran - started, encoded - ran), body

    def _failure(self, invoke: Invoke, error: BaseException, decoded: float, started: float) -> Reply:
        if isinstance(error, InputError):  # an image found broken only when the handler looked at it
            return _refusal(invoke, error, decoded)
        ran = time.perf_counter() - started
        if isinstance(error, NotAcceptable):
            return Unacceptable(invoke.id, fit(str(error), MAX_REASON), error.available, decoded, ran)
        return Crash(invoke.id, self._trace(error), decoded, ran)

    def _trace(self, error: BaseException) -> str:
        """Return the user's part of the traceback, cut to what the wire takes."""
        try:
            return fit(user_trace(error, self._code))
        except Exception:  # no memory for it, or a class of the handler's that does not let itself be shown
            error.__traceback__ = None  # with all that its frames hold
            return f"{type(error).__name__} was raised, and what it says cannot be shown"


def _refusal(invoke: Invoke, error: InputError, decoded: float) -> Refusal:
    return Refusal(invoke.id, type(error).__name__, fit(str(error), MAX_REASON), fit(error.field, MAX_REASON), decoded)


def _runner() -> asyncio.Runner:
    import asyncio  # only async handlers need it

    return asyncio.Runner()


async def _awaited(result: Awaitable[object]) -> object:
    return await result
