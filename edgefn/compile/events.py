"""The events of a build: NDJSON on the real stdout, and nothing else there.

All other output of the user's code and the libraries, from Python or from C, goes to stderr.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol

import msgspec


class Events(Protocol):
    """Takes events: a name and its members."""

    def __call__(self, event: str, **members: Any) -> None: ...


class BuildSteps:
    """Counts and times the steps of a build; `seconds` has the time of those that ended, by name."""

    def __init__(self, events: Events, total: int) -> None:
        self.events = events
        self.total = total
        self.seconds: dict[str, float] = {}
        self._done = 0
        self._current = ""
        self._since = 0.0

    def begin(self, name: str, **members: Any) -> None:
        """Begin the step `name`, and end the one before it."""
        self.end()
        self.events("step", name=name, done=self._done, total=self.total, **members)
        self._done += 1
        self._current, self._since = name, time.monotonic()

    def skip(self, count: int) -> None:
        """Count `count` steps as done: they have no work."""
        self._done += count

    def end(self) -> None:
        """End the current step, and add its time to `seconds`."""
        if self._current:
            spent = time.monotonic() - self._since
            self.seconds[self._current] = round(self.seconds.get(self._current, 0.0) + spent, 3)
            self._current = ""


class EventStream:
    """Writes each event as one line of JSON, at once. Infinity and NaN, which JSON has not, become null."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __call__(self, event: str, **members: Any) -> None:
        self._file.write(msgspec.json.encode({"event": event, **members}) + b"\n")
        self._file.flush()


@contextmanager
def on_stdout() -> Iterator[EventStream]:
    """Open a stream on the real stdout; meanwhile all other output to file descriptor 1 goes to stderr."""
    real = os.dup(1)
    try:
        os.dup2(2, 1)
        with os.fdopen(real, "wb", closefd=False) as file:
            yield EventStream(file)
    finally:
        os.dup2(real, 1)
        os.close(real)
