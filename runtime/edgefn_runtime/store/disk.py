"""The operating system's disk as the store uses it: few operations, each of which a test can fail.

Reading and listing go straight to pathlib; every change of the disk goes through a `Disk`, so that a test
cuts the power at exactly the third rename. Files appear whole or not at all: temp, fsync, rename, fsync of
the folder. Never decides the contents or the place of a file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from edgefn.errors import DiskFull
from edgefn.text.quantities import format_bytes
from edgefn_runtime.store import trees

TEMPORARY = ".tmp"
"""The suffix of files that are incomplete or no longer needed; the next start removes them."""

RESERVE_BYTES = 4 * 2**20
"""Kept free whatever is asked for: the database must be able to commit that something was removed."""


class Disk(Protocol):
    """The operations that change the disk. All of them may raise OSError, `commit` also sqlite3.Error."""

    def make_folder(self, folder: Path) -> None:
        """Create the folder and its missing parents, for the owner alone."""

    def create(self, path: Path) -> int:
        """Create a file for the owner alone; return a descriptor that writes from its start."""

    def append(self, descriptor: int, data: bytes | bytearray | memoryview) -> None:
        """Write all of `data` to the kernel."""

    def sync(self, descriptor: int) -> None:
        """Sync the file to the medium."""

    def close(self, descriptor: int) -> None: ...

    def rename(self, source: Path, target: Path) -> None:
        """Rename `source` to `target`; replace a file of that name atomically."""

    def sync_folder(self, folder: Path) -> None:
        """Sync the names in `folder` to the medium."""

    def sync_tree(self, folder: Path) -> None:
        """Sync every file and every name below `folder` to the medium."""

    def link_tree(self, source: Path, folder: Path) -> None:
        """Link the files of `source` into `folder`; copy them where the file system has no links."""

    def link(self, source: Path, target: Path) -> None:
        """Link `source` as `target`; copy it where the file system has no links."""

    def remove(self, path: Path) -> None:
        """Remove the file or the tree; ignore one that is not there."""

    def commit(self, connection: sqlite3.Connection) -> None:
        """Commit the open transaction to the medium."""

    def free_bytes(self, folder: Path) -> int:
        """Return the bytes that this user may still write on the file system of `folder`."""


class OsDisk:
    """The disk of the operating system."""

    def make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        self.make_folder(folder.parent)
        with contextlib.suppress(FileExistsError):  # another made it meanwhile
            folder.mkdir(mode=0o700)
        _sync(folder.parent)

    def create(self, path: Path) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)

    def append(self, descriptor: int, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        source.replace(target)

    def sync_folder(self, folder: Path) -> None:
        _sync(folder)

    def sync_tree(self, folder: Path) -> None:
        for place, _, files in os.walk(folder, topdown=False):
            for name in files:
                _sync(Path(place, name))
            _sync(Path(place))

    def link_tree(self, source: Path, folder: Path) -> None:
        shutil.copytree(source, folder, copy_function=_link, dirs_exist_ok=True)

    def link(self, source: Path, target: Path) -> None:
        _link(os.fspath(source), os.fspath(target))

    def remove(self, path: Path) -> None:
        if path.is_dir() and not path.is_symlink():
            trees.remove(path)
        else:
            path.unlink(missing_ok=True)

    def commit(self, connection: sqlite3.Connection) -> None:
        connection.execute("COMMIT")

    def free_bytes(self, folder: Path) -> int:
        return shutil.disk_usage(folder).free


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP):
            raise
        shutil.copyfile(source, target)


def _sync(path: Path) -> None:
    if path.is_symlink():
        return  # a link is a name: the sync of its folder covers it
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def temporary(path: Path) -> Path:
    """Return a new name beside `path` for the file or folder that will replace it."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")


def write_file(disk: Disk, path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically, for the owner alone.

    Until then `path` has its former contents, whole.
    """
    unfinished = temporary(path)
    try:
        descriptor = disk.create(unfinished)
        try:
            disk.append(descriptor, data)
            disk.sync(descriptor)
        finally:
            disk.close(descriptor)
        move_into_place(disk, unfinished, path)
    except Exception:
        with contextlib.suppress(OSError):
            disk.remove(unfinished)
        raise


def move_into_place(disk: Disk, complete: Path, target: Path) -> None:
    """Rename `complete`, whose contents are synced, to `target`. It stays there through a power cut."""
    if target.is_dir():
        clear_away(disk, target)  # rename(2) replaces a file, but not a folder with something in it
    disk.rename(complete, target)
    disk.sync_folder(target.parent)


def clear_away(disk: Disk, path: Path) -> None:
    """Remove `path`. It is renamed first, so that half of a tree never passes for the whole."""
    if path.is_dir():
        unwanted = temporary(path)
        disk.rename(path, unwanted)
        disk.sync_folder(path.parent)
        path = unwanted
    disk.remove(path)


@contextlib.contextmanager
def room_for(what: str) -> Iterator[None]:
    """Raise DiskFull, naming `what`, where the disk is full within the context."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no space left on the disk for {what}: free some, then try again") from error
        raise


def expect_room(disk: Disk, folder: Path, size: int, what: str) -> None:
    """Raise DiskFull, before the first byte, when `size` bytes and the reserve do not fit below `folder`."""
    free = disk.free_bytes(folder)
    if size + RESERVE_BYTES > free:
        raise DiskFull(
            f"{what} needs {format_bytes(size)} in {folder}, but the disk has {format_bytes(free)} free, of which "
            f"{format_bytes(RESERVE_BYTES)} are reserved: free some, then try again"
        )
