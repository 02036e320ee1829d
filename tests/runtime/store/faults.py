"""A disk that fails, or loses power, at exactly the n-th operation. What was not synced by then is lost."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from edgefn_runtime.store.disk import OsDisk

Fault = Literal["full", "cut before", "cut after"]


class PowerCut(BaseException):
    """The instruction after which there was no other: not an Exception, so that no clean-up runs."""


class FaultyDisk(OsDisk):
    """The real disk until the n-th operation after `arm`; a power cut lasts."""

    def __init__(self) -> None:
        self.operations: list[str] = []
        self._at = 0
        self._fault: Fault = "full"
        self._dark = False
        self._names: dict[int, Path] = {}
        self._unsynced_files: set[Path] = set()
        self._unsynced_renames: list[tuple[Path, Path, bytes | None]] = []

    def arm(self, at: int, fault: Fault) -> None:
        """The `at`-th operation from here on (1 is the next) meets `fault`."""
        self.operations.clear()
        self._at, self._fault = at, fault

    def _do(self, what: str, deed: Callable[[], None]) -> None:
        if self._dark:
            raise PowerCut
        self.operations.append(what)
        struck = len(self.operations) == self._at
        if struck and self._fault == "full":
            raise OSError(errno.ENOSPC, "No space left on device", what)
        if struck and self._fault == "cut before":
            self._go_dark()
        deed()
        if struck:
            self._go_dark()

    def _go_dark(self) -> None:
        self._dark = True
        for path in self._unsynced_files:
            if path.is_file():
                os.truncate(path, path.stat().st_size // 2)
        for source, target, replaced in reversed(self._unsynced_renames):
            if target.exists():
                target.rename(source)
                if replaced is not None:
                    target.write_bytes(replaced)
        raise PowerCut

    def make_folder(self, folder: Path) -> None:
        self._do(f"make folder {folder.name}", lambda: OsDisk.make_folder(self, folder))

    def create(self, path: Path) -> int:
        opened: list[int] = []
        self._do(f"create {path.name}", lambda: opened.append(OsDisk.create(self, path)))
        self._names[opened[0]] = path
        self._unsynced_files.add(path)
        return opened[0]

    def append(self, descriptor: int, data: bytes | bytearray | memoryview) -> None:
        name = self._names[descriptor].name
        self._do(f"append to {name}", lambda: OsDisk.append(self, descriptor, data))

    def sync(self, descriptor: int) -> None:
        path = self._names[descriptor]
        self._do(f"sync {path.name}", lambda: self._unsynced_files.discard(path))

    def close(self, descriptor: int) -> None:
        os.close(descriptor)  # the kernel does so when a process ends, whatever happened

    def rename(self, source: Path, target: Path) -> None:
        def deed() -> None:
            replaced = target.read_bytes() if target.is_file() else None
            OsDisk.rename(self, source, target)
            self._unsynced_renames.append((source, target, replaced))
            if source in self._unsynced_files:
                self._unsynced_files.remove(source)
                self._unsynced_files.add(target)

        self._do(f"rename {source.name} to {target.name}", deed)

    def sync_folder(self, folder: Path) -> None:
        def deed() -> None:
            self._unsynced_renames = [one for one in self._unsynced_renames if one[1].parent != folder]

        self._do(f"sync folder {folder.name}", deed)

    def sync_tree(self, folder: Path) -> None:
        def deed() -> None:
            self._unsynced_files = {path for path in self._unsynced_files if folder not in path.parents}

        self._do(f"sync tree {folder.name}", deed)

    def link_tree(self, source: Path, folder: Path) -> None:
        self._do(f"link {source.name} to {folder.name}", lambda: OsDisk.link_tree(self, source, folder))

    def remove(self, path: Path) -> None:
        self._do(f"remove {path.name}", lambda: OsDisk.remove(self, path))

    def commit(self, connection: sqlite3.Connection) -> None:
        self._do("commit", lambda: OsDisk.commit(self, connection))
