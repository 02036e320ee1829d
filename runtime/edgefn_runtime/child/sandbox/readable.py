"""The parts of the machine that every function may read: system and Python code, public settings, a few devices.

Found once, in the zygote. Of a folder on `sys.path` that is no installation, only entries with code are opened: a
checkout may hold secrets, data, and even the box's home.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from typing import Final

_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/sys/devices/system")
_PUBLIC_SETTINGS = (
    *("alternatives", "ca-certificates", "fonts", "ssl/certs", "ssl/openssl.cnf", "ssl/cert.pem"),
    *("pki/tls/certs", "pki/tls/cert.pem", "pki/tls/openssl.cnf", "pki/ca-trust/extracted"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "timezone", "locale.alias", "mime.types"),
    *("hosts", "host.conf", "gai.conf", "nsswitch.conf", "resolv.conf", "services", "protocols"),
    *("passwd", "group", "os-release", "OpenCL"),
)
"""Files below /etc that libraries read and that hold no secret: not all of it, as root's child could read shadow."""
DEVICES: Final = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_CODE_FOLDERS = {"bin", "include", "lib", "lib32", "lib64", "libexec", "local", "share"}
_INSTALLED = {"site-packages", "dist-packages"}
_CODE_SUFFIXES = (".py", ".so", ".pth", ".dist-info", ".egg-info")


@functools.cache
def named() -> tuple[str, ...]:
    """Return the readable paths that exist, as they are looked up: links are not resolved."""
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    settings = (f"/etc/{name}" for name in _PUBLIC_SETTINGS)
    wholes = [*_SYSTEM, sys.prefix, sys.base_prefix, *libraries, *settings]
    code = (path for entry in sys.path for path in _code_of(entry, wholes))
    there = (path for path in (*wholes, *code) if path.startswith("/") and os.path.exists(path))
    return tuple(dict.fromkeys(map(os.path.normpath, there)))


@functools.cache
def roots() -> tuple[str, ...]:
    """Return the real paths of `named`, none of them below another."""
    there = sorted({os.path.realpath(path) for path in named()})
    return tuple(path for path in there if not any(below(path, root) for root in there if root != path))


def below(path: str, root: str) -> bool:
    """Tell whether `path` is `root` or lies below it."""
    return path == root or path.startswith(root.rstrip("/") + "/")


def clear_of(bundle: str, root: str) -> Iterator[str]:
    """Yield `root`, or only the code in it where the box's home lies below it.

    So neither another function's files nor the token are ever opened.
    """
    if not below(bundle, root):
        yield root
        return
    for entry in os.scandir(root):
        if _holds_code(entry) and not below(bundle, entry.path):
            yield entry.path


@functools.cache
def closed_to_others() -> str:
    """Return a file of Python's or of ours that only the box's own user may read; "" where there is none."""
    here = os.path.dirname(os.path.realpath(__file__))
    for path in (os.path.realpath(os.__file__), os.path.realpath(sys.executable), os.path.join(here, "layers.py")):
        inside = [root for root in roots() if below(path, root)]
        while inside and below(path, inside[0]):
            wanted = 0o005 if os.path.isdir(path) else 0o004
            if os.stat(path).st_mode & wanted != wanted:
                return path
            path = os.path.dirname(path)
    return ""


def _code_of(entry: str, wholes: list[str]) -> Iterator[str]:
    """Yield the parts of a folder on `sys.path` that are code."""
    if os.path.basename(entry) in _INSTALLED or any(root and below(entry, root) for root in wholes):
        yield entry
    elif entry and os.path.isdir(entry):
        yield from (found.path for found in os.scandir(entry) if _holds_code(found))
    elif entry:
        yield entry  # an archive


def _holds_code(entry: os.DirEntry[str]) -> bool:
    if entry.name in _CODE_FOLDERS or entry.name.endswith(_CODE_SUFFIXES):
        return True
    if entry.name.startswith(".") or not entry.is_dir():
        return False
    try:
        return any(name.endswith((".py", ".so")) for name in os.listdir(entry.path))
    except OSError:
        return False
