"""The output of functions, per function: buffered, written to disk, and sent to followers.

`write` is called on the event loop for each line that an instance prints, so it only appends to a list: the
list goes to the file 100 ms after its first line, by a timer of the loop, or at once when it has grown to
64 KiB or when a reader comes. A write to the page cache costs tens of microseconds, which one flush per
function and 100 ms can afford without a thread; a crash of the box process loses at most those last 100 ms. Followers
are given each record directly, so they see it at once and across rotations.

Logging never fails a request: what cannot be written (disk full) is dropped and counted in `dropped`.
All methods belong to the thread of the event loop.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

from edgefn_runtime.telemetry.buffer import BufferedLog
from edgefn_runtime.telemetry.follower import Follower
from edgefn_runtime.telemetry.logfile import ROTATE_BYTES, LogFile
from edgefn_runtime.telemetry.record import record


class FunctionLogs:
    """The logs of all functions of a box, one file each below `folder`, which exists."""

    def __init__(
        self, folder: Path, *, clock: Callable[[], float] = time.time, rotate_bytes: int = ROTATE_BYTES
    ) -> None:
        self.dropped = 0
        self._folder = folder
        self._clock = clock
        self._rotate_bytes = rotate_bytes
        self._logs: dict[str, BufferedLog] = {}
        self._draining = False
        self._closed = False

    def write(self, function: str, line: str | bytes, *, stream: str = "stdout", pid: int = 0, id: str = "") -> None:
        """Add one record; a `line` of several lines stays one record. Never raises."""
        try:
            self._log(function).add(record(line, at=self._clock(), stream=stream, pid=pid, id=id))
        except Exception:  # whatever is wrong with a log line, it must not cost a request
            self._lost(1)

    def tail(self, function: str, lines: int) -> list[str]:
        """Return the last `lines` records, oldest first, at most 1 MiB of them; none where there is no log."""
        log = self._log(function)
        log.flush()
        return log.file.tail(lines)

    async def follow(self, function: str, lines: int) -> AsyncGenerator[str, None]:
        """Yield the last `lines` records and then each new one.

        It ends when the function is removed or the box drains.
        """
        log, follower = self._log(function), Follower()
        log.followers.add(follower)
        if self._draining:
            follower.end()
        try:
            for text in self.tail(function, lines):  # no await since `add`: no gap, no double
                yield text
            async for text in follower:
                yield text
        finally:
            log.followers.discard(follower)

    def known(self, function: str) -> bool:
        """Tell whether the function has a log to read, deployed or not. Remembers no unknown name."""
        log = self._logs.get(function)
        return log.readable() if log is not None else self._file(function).exists()

    def remove(self, function: str) -> None:
        """Delete the function's log and end its followers."""
        self._log(function).remove()
        del self._logs[function]

    def end_followers(self) -> None:
        """End every follower, also those that come later, after its waiting records: the box drains.

        Writing goes on.
        """
        self._draining = True
        for log in self._logs.values():
            log.end_followers()

    def close(self) -> None:
        """Write everything to disk and end the followers. Later records go to disk at once."""
        self.end_followers()
        self._closed = True
        for log in self._logs.values():
            log.prompt = True
            log.flush()

    def _log(self, function: str) -> BufferedLog:
        log = self._logs.get(function)
        if log is None:
            log = self._logs[function] = BufferedLog(self._file(function), self._lost, prompt=self._closed)
        return log

    def _file(self, function: str) -> LogFile:
        if "/" in function or function.startswith("."):
            raise ValueError(f"{function!r} is not a function name")
        return LogFile(self._folder / f"{function}.log", rotate_bytes=self._rotate_bytes)

    def _lost(self, records: int) -> None:
        self.dropped += records
