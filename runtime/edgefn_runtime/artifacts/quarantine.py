"""Artifacts that broke while they served, and why: kept beside the finished ones, so that a restart knows.

    <finished>/broken.json      reasons by `ArtifactEntry.path`

A mark goes with its folder: another machine or library has none, and a redeployment forgets them.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from edgefn_runtime.store.disk import Disk, write_file

FILE = "broken.json"


class Marks:
    """The marks of all revisions. What the disk does not take is known as long as the box lives."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._unwritten: dict[Path, dict[str, str]] = {}

    def of(self, finished: Path) -> dict[str, str]:
        """Reasons by path of the broken artifacts in the folder `finished`."""
        return _read(finished) | self._unwritten.get(finished, {})

    def add(self, finished: Path, artifact: str, reason: str) -> None:
        """`artifact` is marked; `keep` puts that on the disk."""
        self._unwritten.setdefault(finished, {})[artifact] = reason

    def keep(self, finished: Path) -> None:
        """What was added is on the disk. Blocks; raises OSError, and it is still known then."""
        marks = self.of(finished)
        if finished in self._unwritten and finished.is_dir():
            write_file(self._disk, finished / FILE, msgspec.json.encode(marks, order="deterministic"))
            self._unwritten.pop(finished, None)

    def forget(self, finished: Path) -> None:
        """Nothing in the folder is marked. Blocks."""
        self._unwritten.pop(finished, None)
        if (finished / FILE).exists():
            self._disk.remove(finished / FILE)


def _read(finished: Path) -> dict[str, str]:
    try:
        return msgspec.json.decode((finished / FILE).read_bytes(), type=dict[str, str])
    except (OSError, msgspec.MsgspecError):
        return {}
