"""Writes files that are whole or missing, whenever the power is cut.

Owns the order temp + fsync + rename + fsync(folder) on a build machine and for unpacked layers. Never decides
what is written.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edgefn.errors import DiskFull

TEMPORARY_PREFIX = ".partial-"
_FULL = {errno.ENOSPC, errno.EDQUOT}


def replace_file(path: Path, chunks: Iterable[bytes], *, mode: int = 0o666) -> None:
    """Write `chunks` to `path` and the disk; until then, and after an error, it holds what it held before.

    A new file gets `mode`, less the umask. Raise DiskFull when there is no room, else OSError; what `chunks` raises
    passes through.
    """
    partial = path.with_name(f"{TEMPORARY_PREFIX}{os.getpid()}-{path.name}")
    try:
        with (
            explained_when_full(path),
            open(partial, "wb", opener=lambda name, flags: os.open(name, flags, mode)) as file,
        ):
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Sync `path`, a file or a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def explained_when_full(path: Path) -> Iterator[None]:
    """Turn "no space left" into DiskFull that names `path`, meanwhile."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(f"no space left on the disk to write {path}: free some, then try again") from error
        raise


@contextmanager
def locked(folder: Path, waits: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the folder's lock, which other processes' `locked` waits for; the kernel drops it if we die.

    `waits` is called first where another process holds it.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waits()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def discard_partial(folder: Path) -> None:
    """Remove the remains of an interrupted `replace_file` from `folder`.

    Call while `locked`, when nobody else writes.
    """
    for leftover in folder.glob(f"{TEMPORARY_PREFIX}*"):
        leftover.unlink(missing_ok=True)
