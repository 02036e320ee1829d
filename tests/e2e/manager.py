"""A service manager's side of sd_notify(3), for a box under test: one datagram socket, and all that was heard on it."""

from __future__ import annotations

import itertools
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Self

_numbers = itertools.count()


class Manager:
    """Hears a box. In the abstract namespace when there is no `path`."""

    def __init__(self, path: Path | None = None) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = str(path) if path else f"edgefn-test-{time.monotonic_ns()}-{next(_numbers)}"
        self._socket.bind(name if path else f"\0{name}")
        self.address = name if path else f"@{name}"
        self.heard: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def hear(self, word: str, *, seconds: float = 15.0) -> None:
        """Returns when the box has said a line `word`; fails the test when it does not."""
        deadline = time.monotonic() + seconds
        while word not in self._next(deadline - time.monotonic()):
            pass

    def hears_nothing(self, seconds: float) -> bool:
        """Whether it stays silent for so long."""
        try:
            self._next(seconds)
        except AssertionError:
            return True
        return False

    def forget(self) -> None:
        """What came so far has been heard."""
        while not self.hears_nothing(0.001):
            pass

    def _next(self, seconds: float) -> list[str]:
        self._socket.settimeout(max(seconds, 0.001))
        try:
            lines = self._socket.recv(4096).decode().split("\n")
        except TimeoutError:
            raise AssertionError(f"the box says no more; heard: {self.heard}") from None
        self.heard += lines
        return lines
