"""A thread for what the build does itself, aside from the user's code: its reads are not observed.

An observed open waits for the observer, which has to wait for its turn where there is more work than cores. Importing
PyTorch and exporting a network open thousands of files that say nothing of the function.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Aside:
    """One thread, which ends with the process: an interrupted build does not wait for what it is at."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="aside", daemon=True).start()

    def do(self, act: Callable[[], T]) -> T:
        """Return `act()`, run by the thread; raise its exception here."""
        done: Future[T] = Future()
        self._work.put((act, done))
        return done.result()

    def _run(self) -> None:
        while True:
            act, done = self._work.get()
            try:
                done.set_result(act())
            except BaseException as error:
                done.set_exception(error)
            del act, done  # and what they hold
