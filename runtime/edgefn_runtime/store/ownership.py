"""The owner of a home, and the others that could reach into it: owner, modes, and locks of strangers on its files.

A file that others could open may be open in one of their processes still, and a lock on it outlives a change of its
mode. So a file that was open to others is replaced by a copy, which nobody else has ever opened. Checks the home's
folders and the files on its top floor: everything below is out of reach once the home is its owner's alone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

from edgefn.errors import HomeError
from edgefn_runtime.store.disk import Disk, write_file

_OTHERS = 0o077
_FLOCK = struct.Struct("hhqqi4x")
"""struct flock of fcntl(2): type, whence, start, length, pid."""


def claim_folder(path: Path) -> bool:
    """Make the folder its owner's alone; return whether others could reach into it before.

    Raises HomeError when it is another user's, or on a file system that keeps no modes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return _claim(descriptor, path, 0o700)
    finally:
        os.close(descriptor)


def claim_file(path: Path, *, closing: bool = True) -> bool:
    """Make the file its owner's alone; return whether others could open it before.

    A missing file is fine. Without `closing` a file that others can open is left so. Raises HomeError when it is
    another user's, a link, or no file at all.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise HomeError(f"{path} is not a file that this user can read ({error.strerror}): {_ADVICE}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise HomeError(f"{path} is not a file: {_ADVICE}")
        return _claim(descriptor, path, 0o600 if closing else None)
    finally:
        os.close(descriptor)


def replaceable_by(path: Path) -> str:
    """Return which other user could replace the folder `path`, and where; "" where none can."""
    for parent in path.resolve().parents:
        found = parent.stat()
        if found.st_uid not in (0, os.geteuid()):
            return f"user {_user(found.st_uid)}, who owns {parent},"
        writers = (stat.S_IWOTH, "everybody"), (stat.S_IWGRP, f"group {found.st_gid}")
        for bit, who in writers:
            is_own_group = bit == stat.S_IWGRP and found.st_gid in (0, os.getegid())
            if found.st_mode & bit and not found.st_mode & stat.S_ISVTX and not is_own_group:
                return f"{who}, as {parent} is for them to write,"
    return ""


_ADVICE = "move it away, or choose another home with --home"


def _claim(descriptor: int, path: Path, mode: int | None) -> bool:
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid():
        raise HomeError(
            f"{path} belongs to {_user(found.st_uid)} and this box runs as {_user(os.geteuid())}: run the box as "
            f"{_user(found.st_uid)}, or `chown -R {_user(os.geteuid())}` the home if you trust its files, or choose "
            "another home with --home"
        )
    exposed = bool(found.st_mode & _OTHERS)
    if exposed and mode is not None:
        os.fchmod(descriptor, mode)
        if os.fstat(descriptor).st_mode & _OTHERS:
            raise HomeError(
                f"other users can read {path} and its file system has no modes: mount it with umask=077, or choose "
                "another home with --home"
            )
    return exposed


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def renew(disk: Disk, path: Path) -> None:
    """Replace the file by a copy that no process has open; one that is not there is fine."""
    with contextlib.suppress(FileNotFoundError):
        write_file(disk, path, path.read_bytes())


def held_by_strangers(path: Path) -> bool:
    """Tell whether a process of another user has a lock on the file, as SQLite would take it (fcntl(2))."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, pid = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    finally:
        os.close(descriptor)  # it takes this process's own locks along, of which there are none yet
    return kind != fcntl.F_UNLCK and _is_stranger(pid)


def flocked_by_strangers(descriptor: int) -> bool:
    """Tell whether all processes that hold the file's flock(2) are of other users.

    As far as the kernel lists them.
    """
    inode = os.fstat(descriptor).st_ino
    holders = [pid for pid, number in _flocks() if number == inode]
    return bool(holders) and all(map(_is_stranger, holders))


def _flocks() -> Iterable[tuple[int, int]]:
    """Yield (pid, inode) of every flock of the machine, from /proc/locks."""
    with contextlib.suppress(OSError), open("/proc/locks", encoding="ascii") as locks:
        for line in locks:
            fields = line.split()
            if "->" not in fields and fields[1:2] == ["FLOCK"] and len(fields) >= 6:
                yield int(fields[4]), int(fields[5].rpartition(":")[2])


def _is_stranger(pid: int) -> bool:
    """Tell whether `pid` is of a user other than this one and root, as one that is not to be seen is."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as status:
            uids = next(line.split()[1:] for line in status if line.startswith("Uid:"))
    except (OSError, StopIteration):
        return True
    return not {0, os.geteuid()} & set(map(int, uids))
