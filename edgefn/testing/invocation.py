"""One call of a function, as a box's instance and gateway make it: decoded, handled, encoded, or a problem.

Errors are what a client of a box gets, with the same status and members. It must never hide what is no answer of a
box: that PyTorch is missing here, or that the test itself was interrupted.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import msgspec

from edgefn.codec.request.signature import TOO_LARGE, Request
from edgefn.codec.result.results import encode
from edgefn.errors import (
    BodyTooLarge,
    BuildError,
    EdgefnError,
    HandlerError,
    InputError,
    NotAcceptable,
    UnsupportedEncoding,
    as_refusal,
)
from edgefn.function import EdgeFunction
from edgefn.spec import MAX_ANSWER_BYTES
from edgefn.testing import artifacts
from edgefn.testing.answers import HttpAnswer
from edgefn.testing.requests import UNSET, Data, Fields, Files, query_string, sent
from edgefn.text.bounded import MAX_REASON, fit

_PROBLEM = "application/problem+json"
_numbers = itertools.count(1)


def call(
    function: EdgeFunction[..., Any],
    /,
    *,
    json: Any = UNSET,
    data: Data = None,
    files: Files | None = None,
    query: Fields | str | None = None,
    headers: Mapping[str, str] | None = None,
    accept: str = "",
) -> HttpAnswer:
    """Call `function` as HTTP does, in this process, and return the answer.

        answer = call(classify_image, data=Path("samples/cat.jpg"), accept="application/msgpack")

    json     any value, sent as JSON; arrays as lists
    data     a file's path, bytes, a text, or a dict of a form's fields
    files    a dict of a form's files: each a path, bytes, (filename, bytes) or (filename, bytes, content type), or a
             list of them
    query    a dict of the query's parameters, or its text
    headers  further headers; a content type there replaces the body's own
    accept   the Accept header

    What the handler raises is a 500 as on a box; `answer.error` has the exception, and `answer.raise_for_status()`
    raises it. Models run in eager PyTorch; where that is not installed, by the portable artifact of the function's last
    build. Raise BuildError where there is neither, and ValueError for arguments that make no request. The function's
    timeout, memory and sandbox are not applied.
    """
    if not isinstance(function, EdgeFunction):
        raise TypeError(f"call takes a function under @edge_function, not {function!r}")
    content_type, body = sent(json, data, files)
    fields = {name.lower(): value for name, value in (headers or {}).items()}
    asked = _Asked(
        fields.get("content-type", content_type),
        body,
        query_string(query),
        accept or fields.get("accept", ""),
        fields.get("content-encoding", ""),
        fields.get("x-request-id") or f"test-{next(_numbers)}",
    )
    artifacts.bind(function)
    return _answered(function, asked)


class _Asked(msgspec.Struct, frozen=True):
    """The parts of a request that matter to a function."""

    content_type: str
    body: bytes
    query: str
    accept: str
    encoding: str
    id: str


def _answered(function: EdgeFunction[..., Any], asked: _Asked) -> HttpAnswer:
    try:
        content_type, body = _result(function, asked)
    except (BuildError, KeyboardInterrupt):
        raise
    except InputError as error:
        told = as_refusal(type(error).__name__, fit(str(error), MAX_REASON), fit(error.field, MAX_REASON))
        return _problem(told, asked, error)
    except NotAcceptable as error:
        return _problem(NotAcceptable(fit(str(error), MAX_REASON), available=error.available), asked, error)
    except BaseException as error:  # sys.exit() too, as on a box
        return _problem(HandlerError(function.spec.name, asked.id), asked, error)
    return HttpAnswer(200, _headers(asked, content_type, body), body)


def _result(function: EdgeFunction[..., Any], asked: _Asked) -> tuple[str, bytes]:
    arguments = _arguments(function, asked)
    result = function.handler(**arguments)
    if function.is_async:
        result = _awaited(cast("Awaitable[object]", result))
    content_type, body = encode(result, function.signature.result, asked.accept)
    if len(body) > MAX_ANSWER_BYTES:
        raise ValueError(f"the answer has {len(body)} bytes; an answer may have {MAX_ANSWER_BYTES}")
    return content_type, body


def _arguments(function: EdgeFunction[..., Any], asked: _Asked) -> dict[str, Any]:
    spec = function.spec
    if len(asked.body) > spec.max_body_bytes:
        raise BodyTooLarge.over(spec.name, spec.max_body_bytes)
    ignores = spec.unknown_query == "ignore"
    request = Request(asked.content_type, asked.body, asked.query, asked.encoding, spec.max_body_bytes, ignores)
    try:
        return function.signature.decode(request)
    except MemoryError:
        raise BodyTooLarge(TOO_LARGE) from None


def _awaited(result: Awaitable[object]) -> object:
    """Return what `result` gives: on a loop of its own, in a thread of its own where this one has a loop that runs."""
    import asyncio  # only async handlers need it

    async def wait() -> object:
        return await result

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(wait())
    return _in_thread(lambda: asyncio.run(wait()))


def _in_thread(run: Callable[[], object]) -> object:
    import contextvars
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(contextvars.copy_context().run, run).result()


def _problem(problem: EdgefnError, asked: _Asked, error: BaseException) -> HttpAnswer:
    body = msgspec.json.encode(problem.as_problem())
    headers = _headers(asked, _PROBLEM, body)
    if isinstance(problem, UnsupportedEncoding):
        headers["accept-encoding"] = "gzip, deflate"
    return HttpAnswer(problem.status, headers, body, error)


def _headers(asked: _Asked, content_type: str, body: bytes) -> dict[str, str]:
    return {"content-type": content_type, "content-length": str(len(body)), "x-request-id": asked.id}
