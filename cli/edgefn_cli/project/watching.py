"""Changes of a function's folder and of shared packages, as they are saved. Owns the watcher's thread; builds nothing.

The watcher starts before the first build, so that a file saved during a build is not missed.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from watchfiles import Change, DefaultFilter, watch

# A save is one to three events (write, rename, chmod) within a few milliseconds.
DEBOUNCE_MS = 200
STEP_MS = 30
_WAKE_S = 0.5
_STOP_CHECK_MS = 200


class SourceFilter(DefaultFilter):
    """Sources and samples; neither caches nor files that editors write beside a file (DefaultFilter knows most)."""

    ignore_dirs = (*DefaultFilter.ignore_dirs, ".edgefn", ".ipynb_checkpoints")
    ignore_entity_patterns = (*DefaultFilter.ignore_entity_patterns, r"^4913$", r"^\.#", r"^#.*#$", r"\.tmp$", r"~$")

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__()
        self._folders = folders

    def __call__(self, change: Change, path: str) -> bool:
        # Only what lies below the folder is looked at: a project may itself live below a directory named `.edgefn`.
        folder = next((folder for folder in self._folders if Path(path).is_relative_to(folder)), Path(path).parent)
        return super().__call__(change, str(Path(path).relative_to(folder)))


class Watcher:
    """Changes below `folders` from the moment it is entered."""

    def __init__(self, *folders: Path) -> None:
        self._folders = [folder.resolve() for folder in folders]
        self._changes: queue.Queue[set[tuple[Change, str]]] = queue.Queue()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watcher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join(5.0)

    def changes(self, check: Callable[[], None]) -> Iterator[set[tuple[Change, str]]]:
        """Yield each batch of changes that came together. Call `check` while nothing changes."""
        while not self._over.is_set():
            try:
                batch = self._changes.get(timeout=_WAKE_S)
            except queue.Empty:
                check()
                continue
            while not self._changes.empty():
                batch |= self._changes.get_nowait()
            yield batch

    def _watch(self) -> None:
        for changes in watch(
            *self._folders,
            watch_filter=SourceFilter(self._folders),
            stop_event=self._over,
            raise_interrupt=False,
            debounce=DEBOUNCE_MS,
            step=STEP_MS,
            rust_timeout=_STOP_CHECK_MS,
        ):
            self._changes.put(changes)
