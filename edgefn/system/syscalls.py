"""System calls that Python does not offer, by ctypes: they return an integer or raise OSError. Decides nothing."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_syscall, _prctl, _unshare = _libc.syscall, _libc.prctl, _libc.unshare  # looked up once, in the zygote
_mount, _umount, _setns, _capset = _libc.mount, _libc.umount2, _libc.setns, _libc.capset


def syscall(what: str, number: int, *arguments: int | bytes | None) -> int:
    """Call system call `number`. Raise OSError that names `what`.

    The numbers are the same on all machines from 424 on.
    """
    return _checked(what, _syscall(ctypes.c_long(number), *map(_word, arguments)))


def prctl(option: int, *values: int | bytes) -> int:
    """Call prctl(2). Raise OSError."""
    words = [*map(_word, values), *[ctypes.c_ulong(0)] * (4 - len(values))]
    return _checked(f"prctl({option})", _prctl(ctypes.c_int(option), *words))


def unshare(flags: int) -> None:
    """Call unshare(2): leave the namespaces named by `flags`. Raise OSError."""
    _checked("unshare", _unshare(ctypes.c_int(flags)))


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """Call mount(2). Raise OSError."""
    words = [text.encode() for text in (source, target, kind)]
    _checked(f"mount {target}", _mount(*words, ctypes.c_ulong(flags), options.encode()))


def unmount(target: str, flags: int) -> None:
    """Call umount2(2). Raise OSError."""
    _checked(f"unmount {target}", _umount(target.encode(), ctypes.c_int(flags)))


def setns(descriptor: int, kind: int) -> None:
    """Call setns(2): enter the namespace of `descriptor`, or set it for later children. Raise OSError."""
    _checked("setns", _setns(ctypes.c_int(descriptor), ctypes.c_int(kind)))


def capset(header: bytes, sets: bytes) -> None:
    """Call capset(2) with structures in the kernel's layout. Raise OSError."""
    _checked("capset", _capset(header, sets))


def _word(value: int | bytes | None) -> ctypes.c_long | bytes | None:
    return ctypes.c_long(value) if isinstance(value, int) else value


def _checked(what: str, result: int) -> int:
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), what)
    return result
