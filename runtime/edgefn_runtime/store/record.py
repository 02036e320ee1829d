"""The state of a folder's files when it was made: kept in the folder, and compared later.

    <folder>/files.json      by name: size, inode, times, sha256

A file whose size, inode and times are unchanged is taken as the same: its change time (ctime) can be set back only by
writing to the disk itself. Any other file is read and hashed. A file more, or one less, is a difference, too.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from edgefn_runtime.store.disk import TEMPORARY, Disk, write_file
from edgefn_runtime.store.harvest import sha256_of

FILE = "files.json"


class Stamp(msgspec.Struct, frozen=True, array_like=True):
    """One regular file: bytes, inode, times of change in nanoseconds, and the hash of its bytes."""

    size: int
    inode: int
    modified_ns: int
    changed_ns: int
    sha256: str


class FolderChanges(NamedTuple):
    """The names of files that differ; and the new record, where the same bytes lie in other files."""

    differing: list[str]
    fresh: dict[str, Stamp]


def taken(folder: Path, hashes: Mapping[str, str] | None = None) -> dict[str, Stamp]:
    """Return the record of `folder` as it is now. Blocks, raises OSError.

    Files that are in `hashes` are not read.
    """
    known = hashes or {}
    return {
        name: _stamp(status, known.get(name) or sha256_of(folder / name))
        for name, status in _files(folder)
        if stat.S_ISREG(status.st_mode)
    }


def write(disk: Disk, folder: Path, record: Mapping[str, Stamp]) -> None:
    """Write the record of `folder` into it. Blocks, raises OSError."""
    write_file(disk, folder / FILE, msgspec.json.encode(record, order="sorted"))


def read(folder: Path) -> dict[str, Stamp] | None:
    """Read the record in `folder`; return None where there is none or it does not parse."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=dict[str, Stamp])
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def compare(
    folder: Path,
    record: Mapping[str, Stamp],
    *,
    thorough: bool = False,
    within: Callable[[str], bool] = lambda name: True,
) -> FolderChanges:
    """Compare the files of `folder`, those of the names `within`, with its `record`. Blocks.

    `thorough` reads every file.
    """
    fresh: dict[str, Stamp] = {}
    there = {name: status for name, status in _files(folder) if within(name)}
    differing = [name for name in record if within(name) and name not in there]
    for name, status in there.items():
        before = record.get(name)
        if before is None or not stat.S_ISREG(status.st_mode) or status.st_size != before.size:
            differing.append(name)
        elif thorough or _stamp(status, before.sha256) != before:
            try:
                now = _stamp(status, sha256_of(folder / name))
            except OSError:  # a disk that does not read it
                differing.append(name)
                continue
            if now.sha256 != before.sha256:
                differing.append(name)
            elif now != before:
                fresh[name] = now
    return FolderChanges(sorted(differing), {**record, **fresh} if fresh else {})


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the entries below `folder`, without folders and its record.

    The record may be written again meanwhile.
    """
    for place, folders, names in os.walk(folder):
        for name in (*names, *(one for one in folders if Path(place, one).is_symlink())):
            path = Path(place, name)
            own = str(path.relative_to(folder))
            if own != FILE and not (own.startswith(f"{FILE}.") and own.endswith(TEMPORARY)):
                with contextlib.suppress(FileNotFoundError):  # gone meanwhile: as if it had never been there
                    yield own, os.lstat(path)


def _stamp(status: os.stat_result, sha256: str) -> Stamp:
    return Stamp(status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns, sha256)
