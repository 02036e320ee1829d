"""One reader that waits for records as they are written: a bounded queue between a writer and a slow reader.

The writer never waits for it and never fails because of it: where the reader is too slow, the oldest records
are skipped and the reader gets their number.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

MAX_WAITING_BYTES = 2**20
"""What may wait for one reader. A terminal that was suspended must not cost the box more than that."""


class Follower:
    """Records pushed by the writer, iterated by the reader, until `end`."""

    def __init__(self, max_bytes: int = MAX_WAITING_BYTES) -> None:
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._max_bytes = max_bytes
        self._skipped = 0
        self._changed = asyncio.Event()
        self._ended = False

    def push(self, record: str) -> None:
        self._waiting.append(record)
        self._bytes += len(record)
        while self._bytes > self._max_bytes and len(self._waiting) > 1:
            self._bytes -= len(self._waiting.popleft())
            self._skipped += 1
        self._changed.set()

    def end(self) -> None:
        """End the reader's iteration after the records that wait."""
        self._ended = True
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[str]:
        while True:
            while self._waiting:
                yield self._next()
            if self._ended:
                return
            self._changed.clear()
            await self._changed.wait()

    def _next(self) -> str:
        if self._skipped:
            skipped, self._skipped = self._skipped, 0
            return f"… {skipped} lines skipped: this reader is slower than the function writes"
        record = self._waiting.popleft()
        self._bytes -= len(record)
        return record
