"""Installing and collecting garbage exclude each other; many may install at once.

Owns no files. A collection that finds somebody installing is left to whoever finishes later.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from edgefn_runtime.store.uncancellable import in_thread


class GcLock:
    """One per box."""

    def __init__(self) -> None:
        self._installing = 0
        self._open = asyncio.Event()
        self._open.set()

    @contextlib.asynccontextmanager
    async def installing(self) -> AsyncIterator[None]:
        """Inside, nothing is collected."""
        await self._open.wait()
        self._installing += 1
        try:
            yield
        finally:
            self._installing -= 1

    async def collect(self, collection: Callable[[], None]) -> None:
        """`collection` has run, in a thread, unless somebody is installing."""
        if self._installing or not self._open.is_set():
            return
        self._open.clear()
        try:
            await in_thread(collection)
        finally:
            self._open.set()
