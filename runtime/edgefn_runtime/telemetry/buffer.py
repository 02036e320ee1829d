"""One function's records between `write` and the disk: a list, a timer of the event loop, and the followers.

Never raises for the disk's sake and never grows beyond BUFFER_BYTES: records that cannot be written are dropped, and
`lost` is called with their number.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edgefn_runtime.telemetry.follower import Follower
from edgefn_runtime.telemetry.logfile import LogFile

FLUSH_S = 0.1
BUFFER_BYTES = 64 * 2**10


class BufferedLog:
    """Records that wait to be written to `file`. `prompt` writes each of them at once."""

    def __init__(self, file: LogFile, lost: Callable[[int], None], *, prompt: bool) -> None:
        self.file = file
        self.prompt = prompt
        self.followers: set[Follower] = set()
        self._lost = lost
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, record: str) -> None:
        """Send the record to the followers now, and to the file after FLUSH_S at the latest."""
        for follower in self.followers:
            follower.push(record)
        data = record.encode() + b"\n"
        self._pending.append(data)
        self._pending_bytes += len(data)
        if self.prompt or self._pending_bytes >= BUFFER_BYTES:
            self.flush()
        elif self._timer is None:
            self._flush_later()

    def _flush_later(self) -> None:
        try:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        except RuntimeError:  # no loop runs: the box starts or has stopped
            self.flush()

    def flush(self) -> None:
        """Write the waiting records to the file; where the disk is full they are lost."""
        pending = self._take()
        if not pending:
            return
        try:
            self.file.append(b"".join(pending))
        except OSError:
            self._lost(len(pending))

    def readable(self) -> bool:
        """Tell whether a reader would find anything."""
        return bool(self._pending) or self.file.exists()

    def end_followers(self) -> None:
        for follower in self.followers:
            follower.end()

    def remove(self) -> None:
        """Delete the file and the waiting records, and end the followers."""
        self._take()
        self.end_followers()
        self.file.delete()

    def _take(self) -> list[bytes]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        pending, self._pending, self._pending_bytes = self._pending, [], 0
        return pending
