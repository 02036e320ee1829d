"""Landlock (landlock(7)): the files that a process may reach, its use of TCP, and the processes that it may signal.

Every right that this kernel's Landlock knows is taken away, then given back below the paths that are named. What
is open already stays usable. Forks inherit it, and nothing takes it off.
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterable

from edgefn.system.syscalls import syscall

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_TCP = 0b11
_ABSTRACT_SOCKETS, _SIGNALS = 1 << 0, 1 << 1

TRUNCATE_ABI, TCP_ABI, SCOPE_ABI = 3, 4, 6


def abi() -> int:
    """Return the version of Landlock that this kernel enforces. Raises OSError where there is none."""
    return syscall("landlock", _CREATE_RULESET, None, 0, _VERSION)


def restrict(
    *, read: Iterable[str], write: Iterable[str], devices: Iterable[str], network: bool, control: Iterable[int] = ()
) -> None:
    """Allow this process from now on only the files that are named here.

    It may read and execute below `read`, do everything below `write`, read and write `devices`, and use ioctl(2) too on
    the nodes that are open as `control`. No TCP without `network`; no signal to, and no abstract socket of, a process
    outside. Paths that do not exist are skipped.
    """
    ruleset = _rules(read, write, devices, network, control)
    try:
        syscall("landlock_restrict_self", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def warm_up(*, read: Iterable[str], write: Iterable[str], devices: Iterable[str], network: bool) -> None:
    """Make the rules of `restrict`, and close them again."""
    os.close(_rules(read, write, devices, network, ()))


def _rules(
    read: Iterable[str], write: Iterable[str], devices: Iterable[str], network: bool, control: Iterable[int]
) -> int:
    version = abi()
    known = _file_rights(version)
    ruleset = _ruleset(known, 0 if network else _TCP, _ABSTRACT_SOCKETS | _SIGNALS, version)
    try:
        used = _READ_FILE | _WRITE_FILE
        for rights, paths in (
            (_READ, read),
            (known & ~_IOCTL_DEV, write),
            (used, devices),
        ):
            for path in paths:
                _allow(ruleset, path, rights & known)
        for node in control:
            _allow_opened(ruleset, node, (used | _IOCTL_DEV) & known)
    except BaseException:
        os.close(ruleset)
        raise
    return ruleset


def stand_alone() -> None:
    """Keep this process from signalling any process but itself and those it starts.

    Does nothing where the kernel has no such scope.
    """
    version = abi()
    if version >= SCOPE_ABI:
        ruleset = _ruleset(0, 0, _SIGNALS, version)
        try:
            syscall("landlock_restrict_self", _RESTRICT_SELF, ruleset, 0)
        finally:
            os.close(ruleset)


def _file_rights(version: int) -> int:
    """Return a bit for each right on files: 13 at first, one more each by ABI 2, 3 and 5.

    They are refer (2), truncate (3) and ioctl (5).
    """
    return (1 << (13 + (version >= 2) + (version >= 3) + (version >= 5))) - 1


def _ruleset(files: int, tcp: int, scoped: int, version: int) -> int:
    attributes = struct.pack("QQQ", files, tcp, scoped)
    size = 24 if version >= SCOPE_ABI else 16 if version >= TCP_ABI else 8
    return syscall("landlock_create_ruleset", _CREATE_RULESET, attributes, size, 0)


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # it is not there, or not to be reached: nothing to allow
    try:
        _allow_opened(ruleset, descriptor, rights)
    finally:
        os.close(descriptor)


def _allow_opened(ruleset: int, descriptor: int, rights: int) -> None:
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        rights &= _FILE_RIGHTS
    syscall("landlock_add_rule", _ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", rights, descriptor), 0)
