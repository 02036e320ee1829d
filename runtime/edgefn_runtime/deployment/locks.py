"""Locks of functions: one change of a function runs at a time, and a stuck one can always be superseded.

A change with the same wish as the running one waits for it, for a bounded time. A change with another wish ends the
running one. Never knows what the work is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from edgefn.errors import DeploymentRefused, Unavailable

T = TypeVar("T")

WAIT_S = 120.0
"""How long one waits for another that does the same, before it takes over."""

LEAVE_S = 60.0
"""How long a superseded change may take to end: it kills a child, removes files, or completes a switch."""


class _Turn:
    def __init__(self, wish: str) -> None:
        self.wish = wish
        self.task: asyncio.Task[Any] | None = asyncio.current_task()
        self.superseded_by = ""
        self.over = asyncio.Event()


class ChangeLocks:
    """The lock of each function, by its name."""

    def __init__(self, *, wait_s: float = WAIT_S, leave_s: float = LEAVE_S) -> None:
        self._wait_s, self._leave_s = wait_s, leave_s
        self._holders: dict[str, _Turn] = {}

    def held(self, name: str) -> bool:
        """Tell whether a change of `name` is running."""
        return name in self._holders

    async def take(self, name: str, wish: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run `work` while no other change of `name` runs; return or raise what it does.

        Raises DeploymentRefused when another change superseded it, Unavailable when another does not end. Must be
        awaited in a task of its own: superseding cancels that task.
        """
        turn = _Turn(wish)
        while (holder := self._holders.get(name)) is not None:
            await self._outlast(name, holder, wish)
        self._holders[name] = turn
        try:
            return await work()
        except asyncio.CancelledError:
            if turn.superseded_by:
                raise DeploymentRefused(
                    f"this change of {name} ({wish}) was superseded by {turn.superseded_by}"
                ) from None
            raise
        finally:
            del self._holders[name]
            turn.over.set()

    async def _outlast(self, name: str, holder: _Turn, wish: str) -> None:
        if holder.wish == wish and await _over(holder, self._wait_s):
            return
        if not holder.superseded_by:
            holder.superseded_by = wish
            assert holder.task is not None
            holder.task.cancel()
        if not await _over(holder, self._leave_s):
            raise Unavailable(f"{holder.wish} of {name} takes too long; try again, or restart the box")


async def _over(turn: _Turn, seconds: float) -> bool:
    try:
        await asyncio.wait_for(turn.over.wait(), seconds)
    except TimeoutError:
        return False
    return True
