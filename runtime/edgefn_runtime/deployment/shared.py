"""Work with several waiters that is done once; it is cancelled with the last of them.

Owns the tasks it starts. Never keeps a result: a caller that comes when the work is over starts it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any

from edgefn_runtime.store.uncancellable import to_the_end


class _Work:
    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.waiters = 0


class SharedWork:
    """Work by key. Work that runs already is joined."""

    def __init__(self) -> None:
        self._running: dict[Hashable, _Work] = {}

    async def run(self, key: Hashable, start: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Start the work of `key`, or join it where it runs; wait for it. Raises what the work raises."""
        work = self._running.get(key)
        if work is None:
            work = self._running[key] = _Work(asyncio.create_task(start()))
            work.task.add_done_callback(lambda _: self._forget(key, work))
        work.waiters += 1
        try:
            await asyncio.shield(work.task)
        finally:
            work.waiters -= 1
            if not work.waiters and not work.task.done():
                self._forget(key, work)  # whoever comes now must not join what is being torn down
                work.task.cancel()
                await to_the_end(_ended(work.task))

    def _forget(self, key: Hashable, work: _Work) -> None:
        if self._running.get(key) is work:
            del self._running[key]
        if work.task.done() and not work.task.cancelled():
            work.task.exception()  # each waiter has had it; asyncio need not warn


async def _ended(task: asyncio.Task[None]) -> None:
    await asyncio.wait({task})
