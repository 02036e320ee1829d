"""Installing and collecting garbage exclude each other; many may install at once.

Owns no files. A collection during an installation is skipped: a later one does its work.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from edgefn_runtime.store.uncancellable import in_thread


class GcLock:
    """The lock between installing and collecting garbage; one per box."""

    def __init__(self) -> None:
        self._installing = 0
        self._open = asyncio.Event()
        self._open.set()

    @contextlib.asynccontextmanager
    async def installing(self) -> AsyncIterator[None]:
        """Hold off garbage collection within the context."""
        await self._open.wait()
        self._installing += 1
        try:
            yield
        finally:
            self._installing -= 1

    async def collect(self, collection: Callable[[], None]) -> None:
        """Run `collection` in a thread, unless an installation or another collection runs."""
        if self._installing or not self._open.is_set():
            return
        self._open.clear()
        try:
            await in_thread(collection)
        finally:
            self._open.set()
