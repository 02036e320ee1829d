"""The operating system's disk as the store uses it: few operations, each of which a test can fail.

Reading and listing go straight to pathlib; whatever changes the disk goes through a `Disk`, so that a test
cuts the power at exactly the third rename. Files appear whole or not at all: temp, fsync, rename, fsync of
the folder. Never decides what is written where.
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
"""Ends the name of what is not complete yet, or no longer wanted; the next start removes all such."""

RESERVE_BYTES = 4 * 2**20
"""Kept free whatever is asked for: the database must be able to commit that something was removed."""


class Disk(Protocol):
    """What changes the disk. All of it may raise OSError, `commit` also sqlite3.Error."""

    def make_folder(self, folder: Path) -> None:
        """The folder and its parents exist, new ones for the owner alone."""

    def create(self, path: Path) -> int:
        """A descriptor of a new file that is written from its start, for the owner alone."""

    def append(self, descriptor: int, data: bytes | bytearray | memoryview) -> None:
        """All of `data` is handed to the kernel."""

    def sync(self, descriptor: int) -> None:
        """What was appended is on the medium."""

    def close(self, descriptor: int) -> None: ...

    def rename(self, source: Path, target: Path) -> None:
        """`source` is called `target`; a file of that name is replaced at once."""

    def sync_folder(self, folder: Path) -> None:
        """The names in `folder` are on the medium."""

    def sync_tree(self, folder: Path) -> None:
        """Every file below `folder`, and every name, is on the medium."""

    def link_tree(self, source: Path, folder: Path) -> None:
        """`folder` holds the very files of `source`; copies where the file system has no links."""

    def link(self, source: Path, target: Path) -> None:
        """`target` is the very file of `source`; a copy where the file system has no links."""

    def remove(self, path: Path) -> None:
        """The file or the tree is gone; one that is not there is fine."""

    def commit(self, connection: sqlite3.Connection) -> None:
        """The open transaction is on the medium."""

    def free_bytes(self, folder: Path) -> int:
        """What this user may still write on the file system of `folder`."""


class OsDisk:
    """The real one."""

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
    """A new name beside `path` for what will become it."""
    return path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")


def write_file(disk: Disk, path: Path, data: bytes) -> None:
    """`path` holds `data`, for the owner alone; at every instant before that it held what it held, whole."""
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
    """`complete`, whose contents are synced, is `target`, and stays so through a power cut."""
    if target.is_dir():
        clear_away(disk, target)  # rename(2) replaces a file, but not a folder with something in it
    disk.rename(complete, target)
    disk.sync_folder(target.parent)


def clear_away(disk: Disk, path: Path) -> None:
    """`path` is gone. It loses its name first, so that half of a tree never passes for the whole."""
    if path.is_dir():
        unwanted = temporary(path)
        disk.rename(path, unwanted)
        disk.sync_folder(path.parent)
        path = unwanted
    disk.remove(path)


@contextlib.contextmanager
def room_for(what: str) -> Iterator[None]:
    """Inside, a full disk raises DiskFull naming `what`."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"no room on the disk for {what}: free some, then try again") from error
        raise


def expect_room(disk: Disk, folder: Path, size: int, what: str) -> None:
    """Raises DiskFull, before the first byte, when `size` bytes and the reserve do not fit below `folder`."""
    free = disk.free_bytes(folder)
    if size + RESERVE_BYTES > free:
        raise DiskFull(
            f"{what} needs {format_bytes(size)} in {folder}, whose disk has {format_bytes(free)} free "
            f"and keeps {format_bytes(RESERVE_BYTES)} so: free some, then try again"
        )
