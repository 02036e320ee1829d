"""The files that a confined child wrote, taken as hostile: measured while it writes, taken over when it has ended.

Only regular files are taken, as copies that no other process has open, and only up to a bound of bytes. A name is never
followed: each file is opened below a descriptor of its folder. Nothing here knows what the files are for.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from edgefn.bundle.members import check_name
from edgefn.errors import BundleError, DeploymentRefused
from edgefn.text.quantities import format_bytes
from edgefn_runtime.store.disk import Disk

_CHUNK = 2**20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAX_DEPTH = 8
MAX_NAMES = 10_000


class FolderBound(NamedTuple):
    """The most that a folder may hold: bytes, and files and folders together."""

    size_bytes: int
    entries: int


class _Unfit(Exception):
    """A folder that no engine makes."""


class _Gone(_Unfit):
    """A file or folder that is no longer there."""


class TakenFile(NamedTuple):
    """A file that was taken over: its bytes and their sha256."""

    size: int
    sha256: str


def over(folder: Path, bound: FolderBound) -> str:
    """Describe how `folder`, still being written to, is over its `bound`; "" where it is not. Blocks."""
    size = entries = 0
    try:
        for _, _, status in _walk(folder):
            size += max(status.st_blocks * 512, 0 if stat.S_ISDIR(status.st_mode) else status.st_size)
            entries += 1
            if entries > bound.entries:
                return f"the engine wrote more than {bound.entries} files and folders"
            if size > bound.size_bytes:
                return f"the engine wrote more than {format_bytes(bound.size_bytes)}"
    except _Unfit as error:
        return str(error)
    return ""


def take(
    disk: Disk, folder: Path, place: Path, bound: FolderBound, originals: Path, reserved: Collection[str] = ()
) -> dict[str, TakenFile]:
    """Take over the files below `folder` into the new folder `place`; return them by name. Blocks.

    A file that is in `originals`, too, is linked from there. Raises DeploymentRefused for an entry that is no regular
    file, for a link to another file, for a name that is `reserved`, and for a folder over its `bound`.
    """
    if why := over(folder, bound):
        raise DeploymentRefused(f"refused the engine's files: {why}")
    try:
        return _take_all(disk, folder, place, bound, originals, reserved)
    except _Unfit as error:
        raise DeploymentRefused(f"refused the engine's files: {error}") from None


def _take_all(
    disk: Disk, folder: Path, place: Path, bound: FolderBound, originals: Path, reserved: Collection[str]
) -> dict[str, TakenFile]:
    taken: dict[str, TakenFile] = {}
    disk.make_folder(place)
    for name, parent, status in _walk(folder):
        _check(name, status)
        if name in reserved:
            raise DeploymentRefused(f"refused the engine's files: the name {name!r} is reserved for the box")
        target = place / name
        if stat.S_ISDIR(status.st_mode):
            disk.make_folder(target)
            continue
        with _looking_at(f"file {name[:80]!r}"):
            descriptor = os.open(os.path.basename(name), _FILE, dir_fd=parent)
        try:
            taken[name] = _take(disk, descriptor, name, target, bound, originals / name)
        finally:
            os.close(descriptor)
    return taken


def _check(name: str, status: os.stat_result) -> None:
    try:
        check_name(name)
    except BundleError as error:
        raise DeploymentRefused(f"refused the engine's files: {error}") from None
    if not stat.S_ISDIR(status.st_mode) and not stat.S_ISREG(status.st_mode):
        raise DeploymentRefused(f"refused the engine's files: {name!r} is a link or a device")


def _take(disk: Disk, descriptor: int, name: str, target: Path, bound: FolderBound, original: Path) -> TakenFile:
    status = os.fstat(descriptor)
    twin = _same_file(status, original)
    if not stat.S_ISREG(status.st_mode) or (status.st_nlink > 1 and not twin):
        raise DeploymentRefused(f"refused the engine's files: {name!r} is a link to another file")
    if twin or _alike(descriptor, status.st_size, original):
        disk.link(original, target)
        return TakenFile(status.st_size, sha256_of(original))
    digest, size, copy = hashlib.sha256(), 0, disk.create(target)
    try:
        os.fchmod(copy, 0o644)
        while chunk := os.read(descriptor, _CHUNK):
            size += len(chunk)
            if size > bound.size_bytes:
                raise DeploymentRefused(f"refused the engine's files: {name!r} grew during the copy")
            digest.update(chunk)
            disk.append(copy, chunk)
    finally:
        disk.close(copy)
    return TakenFile(size, digest.hexdigest())


def _same_file(status: os.stat_result, original: Path) -> bool:
    try:
        known = os.lstat(original)
    except OSError:
        return False
    return stat.S_ISREG(known.st_mode) and (known.st_dev, known.st_ino) == (status.st_dev, status.st_ino)


def _alike(descriptor: int, size: int, original: Path) -> bool:
    """Tell whether the file holds the very bytes of `original`; rewind it afterwards."""
    try:
        known = os.open(original, _FILE)
    except OSError:
        return False
    try:
        if os.fstat(known).st_size != size:
            return False
        while (chunk := os.read(known, _CHUNK)) == os.read(descriptor, _CHUNK):
            if not chunk:
                return True
        return False
    finally:
        os.close(known)
        os.lseek(descriptor, 0, os.SEEK_SET)


def sha256_of(path: Path) -> str:
    """Return the hash of a regular file's bytes, in hexadecimal; never follow a link. Raises OSError."""
    with open(os.open(path, _FILE), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _walk(folder: Path) -> Iterator[tuple[str, int, os.stat_result]]:
    """Yield each entry below `folder`: its name, a descriptor of its folder, its status.

    Folders come before their contents. Entries that vanish meanwhile are skipped. Raises _Unfit for folders that are
    nested too deeply, too full or closed.
    """
    waiting = [(os.open(folder, _FOLDER), "", 1)]
    try:
        while waiting:
            parent, above, depth = waiting.pop()
            try:
                for own in _names(parent):
                    with contextlib.suppress(_Gone):
                        with _looking_at(f"folder {(above or '.')[:80]!r}"):
                            status = os.stat(own, dir_fd=parent, follow_symlinks=False)
                        yield f"{above}{own}", parent, status
                        if stat.S_ISDIR(status.st_mode):
                            waiting.append((_inside(own, parent, depth), f"{above}{own}/", depth + 1))
            finally:
                os.close(parent)
    finally:
        for parent, _, _ in waiting:
            os.close(parent)


def _names(parent: int) -> list[str]:
    with os.scandir(parent) as entries:
        names = sorted(entry.name for entry in itertools.islice(entries, MAX_NAMES + 1))
    if len(names) > MAX_NAMES:
        raise _Unfit(f"the engine wrote more than {MAX_NAMES} files into one folder")
    return names


def _inside(name: str, parent: int, depth: int) -> int:
    if depth == MAX_DEPTH:
        raise _Unfit(f"the engine nested folders more than {MAX_DEPTH} deep")
    with _looking_at(f"folder {name[:80]!r}"):
        return os.open(name, _FOLDER, dir_fd=parent)


@contextlib.contextmanager
def _looking_at(what: str) -> Iterator[None]:
    """Translate errors of looking at `what`: _Gone where it vanished, else _Unfit."""
    try:
        yield
    except FileNotFoundError:
        raise _Gone(f"its {what} vanished") from None
    except OSError as error:
        raise _Unfit(f"cannot read its {what} ({error.strerror})") from None
