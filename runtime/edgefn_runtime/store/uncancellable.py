"""Waiting that a cancelled caller still does to the end: disk work and commits are not left half-watched.

asyncio lets go of a thread when its waiter is cancelled, and the thread writes on. Here cancellation is
felt only when the work is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """What `work` returns or raises, whatever happens to the caller meanwhile.

    A cancellation in between is raised when the work is over, unless it raised something itself.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled():
                raise
            cancelled = error
        except BaseException:
            break  # the work's own failure: result() below raises it
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result


async def in_thread(call: Callable[P, T], /, *arguments: P.args, **options: P.kwargs) -> T:
    """What `call` returns or raises, run in a thread; over when this is over."""
    return await to_the_end(asyncio.to_thread(call, *arguments, **options))
