"""Opens device nodes without following links to other places: the checked node is the used node."""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import Final

from edgefn.system.syscalls import syscall

FOLDER: Final = "/dev"
_OPENAT2 = 437
_NO_OTHER_MOUNT, _NO_MAGIC_LINKS, _NO_LINKS, _BENEATH = 1, 2, 4, 8
_FORBIDDEN: Final = {os.makedev(1, 1), os.makedev(1, 2), os.makedev(1, 4)}
"""The machine's memory and ports: access to these is control of the machine."""


def open_node(path: str) -> int:
    """Return a descriptor (O_PATH) of the character device `path` below /dev.

    A link is followed where only root could have made it: within /dev itself, as udev's by-id links are, and not in
    /dev/shm. Raise OSError with the reason.
    """
    if not path.startswith(f"{FOLDER}/"):
        raise OSError(errno.EINVAL, f"it is not below {FOLDER}", path)
    folder = os.open(FOLDER, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        node = _open_below(folder, path.removeprefix(f"{FOLDER}/"), path)
    finally:
        os.close(folder)
    try:
        found = os.fstat(node)
        if not stat.S_ISCHR(found.st_mode):
            raise OSError(errno.ENODEV, "it is not a character device", path)
        if found.st_rdev in _FORBIDDEN:
            raise OSError(errno.EPERM, "it is the machine's memory or ports", path)
    except OSError:
        os.close(node)
        raise
    return node


def _open_below(folder: int, name: str, path: str) -> int:
    try:
        return _openat2(folder, name, path, _BENEATH | _NO_MAGIC_LINKS | _NO_OTHER_MOUNT)
    except OSError as error:
        if error.errno == errno.EXDEV:  # a container may have mounted the node itself; then no link may be on the way
            return _openat2(folder, name, path, _BENEATH | _NO_LINKS)
        if error.errno != errno.ENOSYS:
            raise
    return _without_openat2(folder, name)


def _openat2(folder: int, name: str, path: str, resolve: int) -> int:
    how = struct.pack("QQQ", os.O_PATH | os.O_CLOEXEC, 0, resolve)
    return syscall(path, _OPENAT2, folder, name.encode() + b"\0", how, len(how))


def _without_openat2(folder: int, name: str) -> int:
    """Open the node on Linux before 5.6: one name after the other, following no link at all."""
    opened = os.dup(folder)
    for part in name.split("/"):
        if part in ("", ".", ".."):
            os.close(opened)
            raise OSError(errno.EINVAL, "its path is not plain", name)
        try:
            found = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=opened)
        finally:
            os.close(opened)
        opened = found
    return opened
