"""One request inside an instance: decode → handler → encode, timed, with every failure turned into a reply."""

from __future__ import annotations

import inspect
import time
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, cast

from edgefn.codec.request.signature import Request
from edgefn.codec.result.results import encode
from edgefn.errors import InputError, NotAcceptable
from edgefn.function import EdgeFunction
from edgefn_runtime.process.batcher import Crowd
from edgefn_runtime.process.program import user_trace
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


class Service:
    """A loaded function as the instance serves it: a request and its body in, a reply and its body out."""

    def __init__(
        self,
        function: EdgeFunction[..., object],
        code: str,
        crowd: Crowd | None = None,
        wrong: list[WrongAnswer] | None = None,
    ) -> None:
        self.crowd = crowd or Crowd()
        self._wrong = [] if wrong is None else wrong
        self._function = function
        self._signature = function.signature
        self._handler = function.handler
        self._max_body = function.spec.max_body_bytes
        self._ignores_query = function.spec.unknown_query == "ignore"
        self._code = code
        self.is_async = inspect.iscoroutinefunction(function.handler)
        self._runner = _runner() if self.is_async else None

    def call(self, invoke: Asked, body: bytes | bytearray) -> tuple[Reply, bytes]:
        """Serves one request to its end, in this thread; a question about its answers, too."""
        if isinstance(invoke, Compare):
            return self._compare(invoke, body)
        arguments, decoded, refusal = self._decode(invoke, body)
        if refusal is not None:
            return refusal, b""
        started = time.perf_counter()
        try:
            result = self._handler(**arguments)
            if self._runner is not None:
                result = self._runner.run(_awaited(cast("Awaitable[object]", result)))
            return self._answer(invoke, result, decoded, started)
        except Exception as error:
            return self._failure(invoke, error, decoded, started), b""

    async def call_async(self, invoke: Asked, body: bytes | bytearray) -> tuple[Reply, bytes]:
        """As `call`, for an `async` handler on a running loop, beside other requests."""
        if isinstance(invoke, Compare):
            return await self._compare_async(invoke, body)
        arguments, decoded, refusal = self._decode(invoke, body)
        if refusal is not None:
            return refusal, b""
        started = time.perf_counter()
        try:
            result = await cast("Awaitable[object]", self._handler(**arguments))
            return self._answer(invoke, result, decoded, started)
        except Exception as error:
            return self._failure(invoke, error, decoded, started), b""

    def wrong(self) -> list[WrongAnswer]:
        """Return what the box must hear of its artifacts, once; send it before the reply."""
        if not self._wrong:
            return []
        found = self._wrong[:]
        del self._wrong[: len(found)]
        return found

    def _compare(self, question: Compare, body: bytes | bytearray) -> tuple[Reply, bytes]:
        from edgefn_runtime.process.comparing import Comparison

        comparison, started = Comparison(self._function, body), time.perf_counter()
        try:
            result = self._handler(**comparison.arguments)
            if self._runner is not None:
                result = self._runner.run(_awaited(cast("Awaitable[object]", result)))
            found = comparison.judged(result)
        except Exception as error:
            found = comparison.raised(error)
        return Answer(question.id, "", 0.0, time.perf_counter() - started, 0.0), found

    async def _compare_async(self, question: Compare, body: bytes | bytearray) -> tuple[Reply, bytes]:
        from edgefn_runtime.process.comparing import Comparison

        comparison, started = Comparison(self._function, body), time.perf_counter()
        try:
            found = comparison.judged(await cast("Awaitable[object]", self._handler(**comparison.arguments)))
        except Exception as error:
            found = comparison.raised(error)
        return Answer(question.id, "", 0.0, time.perf_counter() - started, 0.0), found

    def _decode(self, invoke: Invoke, body: bytes | bytearray) -> tuple[dict[str, Any], float, Refusal | None]:
        started = time.perf_counter()
        try:
            request = Request(
                invoke.content_type, body, invoke.query, invoke.encoding, self._max_body, self._ignores_query
            )
            arguments = self._signature.decode(request)
        except InputError as error:
            decoded = time.perf_counter() - started
            return {}, decoded, _refusal(invoke, error, decoded)
        return arguments, time.perf_counter() - started, None

    def _answer(self, invoke: Invoke, result: object, decoded: float, started: float) -> tuple[Reply, bytes]:
        ran = time.perf_counter()
        content_type, body = encode(result, self._signature.result, invoke.accept)
        encoded = time.perf_counter()
        return Answer(invoke.id, content_type, decoded, ran - started, encoded - ran), body

    def _failure(self, invoke: Invoke, error: Exception, decoded: float, started: float) -> Reply:
        if isinstance(error, InputError):  # an image found broken only when the handler looked at it
            return _refusal(invoke, error, decoded)
        ran = time.perf_counter() - started
        if isinstance(error, NotAcceptable):
            return Unacceptable(invoke.id, str(error), error.available, decoded, ran)
        return Crash(invoke.id, user_trace(error, self._code), decoded, ran)


def _refusal(invoke: Invoke, error: InputError, decoded: float) -> Refusal:
    return Refusal(invoke.id, type(error).__name__, str(error), error.field, decoded)


def _runner() -> asyncio.Runner:
    import asyncio  # only async handlers need it

    return asyncio.Runner()


async def _awaited(result: Awaitable[object]) -> object:
    return await result
