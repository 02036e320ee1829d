"""Quarantine of artifacts that broke while they served: their reasons, stored beside them for the box's next start.

    <finished>/broken.json      reasons by `ArtifactEntry.path`

A mark goes with its folder: another machine or library has none, and a redeployment forgets them.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgefn_runtime.store.disk import Disk, write_file

FILE = "broken.json"


class Quarantine:
    """The broken artifacts of all revisions, by marks. A mark that the disk refuses holds as long as the box lives."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._unwritten: dict[Path, dict[str, str]] = {}

    def of(self, finished: Path) -> dict[str, str]:
        """Return the broken artifacts in the folder `finished`: reasons by path."""
        return _read(finished) | self._unwritten.get(finished, {})

    def add(self, finished: Path, artifact: str, reason: str) -> None:
        """Mark `artifact` as broken, for `reason`, in memory; `keep` stores the mark on the disk."""
        self._unwritten.setdefault(finished, {})[artifact] = reason

    def keep(self, finished: Path) -> None:
        """Store the marks that were added. Blocks; raises OSError, and then keeps them in memory."""
        marks = self.of(finished)
        if finished in self._unwritten and finished.is_dir():
            write_file(self._disk, finished / FILE, msgspec.json.encode(marks, order="deterministic"))
            self._unwritten.pop(finished, None)

    def forget(self, finished: Path) -> None:
        """Delete all marks of the folder. Blocks."""
        self._unwritten.pop(finished, None)
        if (finished / FILE).exists():
            self._disk.remove(finished / FILE)


def _read(finished: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode((finished / FILE).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}
