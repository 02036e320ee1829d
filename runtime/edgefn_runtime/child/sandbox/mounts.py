"""Mounts by descriptor (mount_setattr(2), open_tree(2), move_mount(2); Linux 5.12): what was opened is what is bound.

A bind takes every mount below it along, and is read-only in one step. Older kernels answer ENOSYS.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from typing import Final

from edgefn.system.syscalls import mount, syscall, unmount

NO_SET_UID, NO_DEVICES, NO_EXECUTE = 2, 4, 8
BIND = 4096
_REMOUNT, _RECURSIVE, _PRIVATE, _SLAVE = 32, 0x4000, 0x40000, 0x80000
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
_HERE, _EMPTY_PATH, _ALL_BELOW = -100, 0x1000, 0x8000
_CLONE, _FROM_DESCRIPTOR = 1, 4
_READ_ONLY, _ATTRIBUTE_NO_SET_UID, _ATTRIBUTE_NO_DEVICES = 1, 2, 4
_DETACH = 2


def follow_host() -> None:
    """Keep new mounts inside; what is unmounted outside is unmounted here, too. Raises OSError."""
    mount("none", "/", "", _RECURSIVE | _SLAVE)


def follow_nobody() -> None:
    """Cut all mounts off from those outside. Raises OSError."""
    mount("none", "/", "", _RECURSIVE | _PRIVATE)


def bind(source: str | int, target: str) -> None:
    """Show `source`, a path or a descriptor of O_PATH, at `target`, with all mounts below it.

    Raises OSError.
    """
    folder, path = (source, b"\0") if isinstance(source, int) else (_HERE, source.encode() + b"\0")
    flags = _CLONE | os.O_CLOEXEC | _EMPTY_PATH | _ALL_BELOW
    tree = syscall(f"open_tree {target}", _OPEN_TREE, folder, path, flags)
    try:
        syscall(f"move_mount {target}", _MOVE_MOUNT, tree, b"\0", _HERE, target.encode() + b"\0", _FROM_DESCRIPTOR)
    finally:
        os.close(tree)


def restrict(target: str, *, write: bool = False, devices: bool = False) -> None:
    """Forbid writing, opening devices and gaining a user in the mount at `target` and those below.

    With `write` or `devices`, that one stays allowed. Raises OSError.
    """
    taken = _ATTRIBUTE_NO_SET_UID | (0 if write else _READ_ONLY) | (0 if devices else _ATTRIBUTE_NO_DEVICES)
    _set(target, _ALL_BELOW, taken, 0)


def allow_writing(target: str, *, allowed: bool = True) -> None:
    """Allow or forbid writing in the mount at `target`, and in it alone. Raises OSError."""
    _set(target, 0, *((0, _READ_ONLY) if allowed else (_READ_ONLY, 0)))


def _set(target: str, flags: int, taken: int, given: int) -> None:
    attributes = struct.pack("QQQQ", taken, given, 0, 0)
    path = target.encode() + b"\0"
    syscall(f"mount_setattr {target}", _MOUNT_SETATTR, _HERE, path, flags, attributes, len(attributes))


def memory(target: str, options: str) -> None:
    """Mount an empty file system in memory at `target`. Raises OSError."""
    mount("edgefn", target, "tmpfs", NO_SET_UID | NO_DEVICES | NO_EXECUTE, options)


def resize(target: str, options: str) -> None:
    """Give the file system in memory at `target` other bounds. Raises OSError."""
    mount("edgefn", target, "tmpfs", _REMOUNT | NO_SET_UID | NO_DEVICES | NO_EXECUTE, options)


def change_root(folder: str) -> None:
    """Make the mount at `folder` this process's root, with nothing of the old one left. Raises OSError."""
    number = _PIVOT_ROOT.get(platform.machine())
    if number is None:
        raise OSError(errno.ENOSYS, f"no number of pivot_root for {platform.machine()}", "pivot_root")
    os.chdir(folder)
    syscall("pivot_root", number, b".\0", b".\0")  # the old root is stacked on the new one: one unmount takes it off
    unmount(".", _DETACH)
    os.chdir("/")
