"""System calls that Python has no name for, by ctypes: an integer back, or OSError. Nothing is decided here."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_syscall, _prctl, _unshare = _libc.syscall, _libc.prctl, _libc.unshare  # looked up once, in the zygote
_mount, _umount, _setns, _capset = _libc.mount, _libc.umount2, _libc.setns, _libc.capset


def syscall(what: str, number: int, *arguments: int | bytes | None) -> int:
    """The call `number`, which is the same on all machines from 424 on. Raises OSError, naming `what`."""
    return _checked(what, _syscall(ctypes.c_long(number), *map(_word, arguments)))


def prctl(option: int, *values: int | bytes) -> int:
    """prctl(2). Raises OSError."""
    words = [*map(_word, values), *[ctypes.c_ulong(0)] * (4 - len(values))]
    return _checked(f"prctl({option})", _prctl(ctypes.c_int(option), *words))


def unshare(flags: int) -> None:
    """unshare(2): this process leaves the namespaces named by `flags`. Raises OSError."""
    _checked("unshare", _unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2). Raises OSError."""
    words = [text.encode() for text in (source, target, kind)]
    _checked(f"mount {target}", _mount(*words, ctypes.c_ulong(flags), options.encode()))


def unmount(target: str, flags: int) -> None:
    """umount2(2). Raises OSError."""
    _checked(f"unmount {target}", _umount(target.encode(), ctypes.c_int(flags)))


def setns(descriptor: int, kind: int) -> None:
    """setns(2): enter the namespace of `descriptor`, or have it for the children to come. Raises OSError."""
    _checked("setns", _setns(ctypes.c_int(descriptor), ctypes.c_int(kind)))


def capset(header: bytes, sets: bytes) -> None:
    """capset(2), its structures as the kernel lays them out. Raises OSError."""
    _checked("capset", _capset(header, sets))


def _word(value: int | bytes | None) -> ctypes.c_long | bytes | None:
    return ctypes.c_long(value) if isinstance(value, int) else value


def _checked(what: str, result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), what)
    return result
