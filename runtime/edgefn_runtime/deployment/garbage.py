"""Garbage: everything that no deployment needs, and files that a power cut left half written.

Never removes files of the revision that serves, of one that a rollback may go to, or that a process may have open.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path

from edgefn_runtime.artifacts import changes
from edgefn_runtime.deployment import retention
from edgefn_runtime.fingerprint import fingerprint
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.database import Database, HistoryEntry
from edgefn_runtime.store.disk import TEMPORARY, clear_away
from edgefn_runtime.store.home import Home

_log = logging.getLogger("edgefn.garbage")


class Garbage:
    """The garbage of `home`. Its methods block. None may run while anything is being installed."""

    def __init__(self, home: Home, blobs: Blobs, database: Database) -> None:
        self._home, self._blobs, self._database = home, blobs, database
        self._draining: dict[str, float] = {}

    def spare(self, digest: str, seconds: float) -> None:
        """Keep the bundle `digest` for `seconds`: instances of it may still be answering."""
        self._draining[digest] = time.monotonic() + seconds

    def leftovers(self) -> list[Path]:
        """Return the files and folders that were being written when the power was cut.

        Call it before anything new is written.
        """
        home = self._home
        own = (home.path, home.run, home.secrets, home.keys, home.tls)
        folders = (*own, home.blobs, home.bundles, home.finished, *home.finished.glob("*/"))
        return [path for folder in folders for path in folder.glob(f"*{TEMPORARY}")]

    def sweep(self, leftovers: Iterable[Path]) -> None:
        """Remove `leftovers`. A file that cannot be removed is logged."""
        for path in leftovers:
            try:
                self._home.disk.remove(path)
            except OSError as error:
                _log.warning("could not remove %s: %s", path, error)

    def collect(self) -> None:
        """Remove everything that no deployment needs. An error of the disk is logged."""
        try:
            self._collect()
        except OSError as error:
            _log.warning("could not collect garbage in %s: %s", self._home.path, error)

    def _collect(self) -> None:
        kept = [entry for name in self._database.names() for entry in self._kept(name)]
        now = time.monotonic()
        self._draining = {digest: end for digest, end in self._draining.items() if end > now}
        wanted = {entry.digest.removeprefix("sha256:") for entry in kept}
        wanted |= {digest.removeprefix("sha256:") for digest in self._draining}
        for folder in self._home.finished.iterdir():
            if folder.name == fingerprint():
                self._clear(folder, wanted)
            elif folder.suffix != TEMPORARY and folder.name != changes.FILE:
                clear_away(self._home.disk, folder)
        self._clear(self._home.bundles, wanted)
        self._blobs.collect({blob.digest for entry in kept for blob in entry.blobs})

    def _kept(self, name: str) -> list[HistoryEntry]:
        current = self._database.current(name)
        if current is None:
            return []
        history = self._database.history(name)
        self._database.forget(name, retention.forgotten(history, current.number))
        return retention.kept(history, current.number)

    def _clear(self, folder: Path, wanted: set[str]) -> None:
        for path in folder.iterdir():
            if path.name not in wanted and path.suffix != TEMPORARY:
                clear_away(self._home.disk, path)
