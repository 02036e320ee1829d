"""Answers that go on for a while: sent chunk by chunk, with heartbeats, and stopped when the client has gone.

Starlette's StreamingResponse leaves the iterator open where the client goes away between two chunks, and cancels
it inside a scope that cancels its clean-up as well. A deployment must be cancelled once, and must be able to finish its
clean-up.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from edgefn_runtime.access import caller

T = TypeVar("T")


class ChunkStream(Response):
    """Sends each chunk at once. `chunks` is closed when this ends, however it ends.

    A stream that `ends_with_token` ends when the token of its request is revoked or rotated.
    """

    _begun = False

    def __init__(self, chunks: AsyncIterator[bytes], media_type: str, *, ends_with_token: bool = False) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        # Proxies (nginx) hold an answer back until they have enough of it, unless told.
        self.init_headers({"cache-control": "no-store", "x-accel-buffering": "no"})
        self._chunks = chunks
        self._ends_with_token = ends_with_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        held = scope if self._ends_with_token else {}
        sending = asyncio.create_task(self._send(send, held))
        leaving = asyncio.create_task(_gone(receive))
        ending = asyncio.create_task(caller.until_gone(held))
        try:
            await asyncio.wait({sending, leaving, ending}, return_when=asyncio.FIRST_COMPLETED)
            is_cut = ending.done() and not sending.done() and not leaving.done()
        finally:
            for task in (ending, leaving, sending):
                await _end(task)
            await close(self._chunks)
        if is_cut and self._begun:
            await send({"type": "http.response.body", "body": b""})
        elif not sending.cancelled():
            sending.result()

    async def _send(self, send: Send, held: Mapping[str, Any]) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        self._begun = True
        async for chunk in self._chunks:
            if caller.is_gone(held):
                break
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def with_heartbeats(events: AsyncIterator[T], every_s: float) -> AsyncGenerator[T | None, None]:
    """Yield the events of `events`, and None after every `every_s` without one; close it at the end."""
    step: asyncio.Future[T] | None = None
    try:
        while True:
            step = asyncio.ensure_future(anext(events))
            while not (await asyncio.wait({step}, timeout=every_s))[0]:
                yield None
            try:
                event = step.result()
            except StopAsyncIteration:
                return
            yield event
    finally:
        if step is not None:
            await _end(step)
        await close(events)


async def close(iterator: AsyncIterator[object]) -> None:
    """Close `iterator` and wait for its clean-up, where it is a generator."""
    if isinstance(iterator, AsyncGenerator):
        await iterator.aclose()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _end(task: asyncio.Future[T]) -> None:
    """Cancel `task` where it still runs, and wait for its end.

    Its error is not raised here: the code that asks for its result gets it.
    """
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()
