"""Waiting to the end of some work, even when the caller is cancelled: no write and no commit is left half-watched.

asyncio lets go of a thread when its waiter is cancelled, and the thread writes on. Here a cancellation is raised only
when the work is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` to its end, even when the caller is cancelled; return or raise what it does.

    A cancellation in between is raised when the work is over, unless the work raised an error itself.
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
    """Run `call` in a thread and wait for its end, even when the caller is cancelled.

    Returns or raises what `call` does.
    """
    return await to_the_end(asyncio.to_thread(call, *arguments, **options))
