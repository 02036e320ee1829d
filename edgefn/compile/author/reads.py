"""Which files the user's code has read, and which of those belong to no function: the environment.

Seen by the kernel where it allows that (`edgefn.system.file_opens`), else by Python's audit hook, which a native
library's reads pass by; `unseen` says so. Never judges a read.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from tempfile import gettempdir
from typing import Any, Protocol

import edgefn
from edgefn.system import file_opens

_SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/nix", "/snap"),
    *("/etc", "/proc", "/sys", "/dev", "/run"),
)
_SITES = ("site-packages", "dist-packages")
_SETTINGS = (
    *("~/.config", "~/.matplotlib", "~/.netrc", "~/.gitconfig", "~/.keras/keras.json"),
    *("~/.cache/matplotlib", "~/.cache/fontconfig", "~/.cache/pip", "~/.cache/torch_extensions", "~/.triton"),
)
"""Settings that libraries read about their user, and compiled code that they cache by the hash of its source.

Never a hub's cache, nor a folder where some library keeps weights.
"""

_HUB_NOTES = {"token", "stored_tokens", "version.txt", "version_diffusers_cache.txt"}
"""Files of a hub's cache that are not weights."""


class _Opens(Protocol):
    def drain(self) -> list[str]: ...


class Reads:
    """The files read from its making on, by this process and its children. `cache` is the build's own."""

    def __init__(self, cache: Path) -> None:
        self.unseen = ""
        self._began_ns = time.time_ns()
        self._roots = tuple(f"{root}/" for root in _roots(cache))
        self._opens: _Opens
        try:
            self._opens = file_opens.observe(self._roots)
        except OSError as error:
            self.unseen = error.strerror or str(error)
            self._opens = _PythonOpens()

    def take(self) -> list[str]:
        """Return the files read since the last call, each once, but for those of the environment."""
        return [path for path in self._opens.drain() if self._is_other(path)]

    def _is_other(self, path: str) -> bool:
        real = os.path.realpath(path)
        if path.startswith(self._roots) or real.startswith(self._roots) or not os.path.isfile(real):
            return False
        if path.startswith(f"{gettempdir()}/") and os.stat(real).st_ctime_ns >= self._began_ns:
            return False  # made meanwhile, under another name: how libraries write files that are whole
        return not _is_setting(path)


class _PythonOpens:
    """The opens that Python tells of (PEP 578), as long as this process lives."""

    def __init__(self) -> None:
        self._read: dict[str, None] = {}
        self._made: set[str] = set()
        sys.addaudithook(self._hook)

    def drain(self) -> list[str]:
        found, self._read = list(self._read), {}
        return found

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            self._note(arguments[0], arguments[2])
        elif event in ("sqlite3.connect", "ctypes.dlopen"):
            self._note(arguments[0], os.O_RDONLY)

    def _note(self, name: object, flags: object) -> None:
        if not isinstance(name, str | bytes | os.PathLike) or not isinstance(flags, int) or not name:
            return
        path = os.path.abspath(os.fsdecode(name))
        if file_opens.makes(path, flags):
            self._made.add(path)
        elif path not in self._made and flags & os.O_ACCMODE != os.O_WRONLY:
            self._read[path] = None


def source_of(path: str) -> Path:
    """Return the source of a compiled module in `__pycache__`, or any other file itself; follow links."""
    if path.endswith(".pyc"):
        try:
            path = importlib.util.source_from_cache(path)
        except ValueError:  # one that lies beside its source
            path = path.removesuffix("c")
    return Path(os.path.realpath(path))


def is_module(path: Path) -> bool:
    """Tell whether the file is Python source on sys.path."""
    return path.suffix == ".py" and any(path.is_relative_to(entry or os.getcwd()) for entry in sys.path)


def hub_folder(path: str) -> str:
    """Return the folder of the model in a hub's cache that contains `path`; empty for any other file."""
    head, found, tail = path.partition("/models--")
    return f"{head}{found}{tail.partition('/')[0]}" if found else ""


def _roots(cache: Path) -> Iterable[str]:
    """Return the folders of the environment, both as named and with links resolved."""
    sites = [entry for entry in sys.path if entry.endswith(_SITES)]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    own = [str(Path(edgefn.__file__).parent), str(cache)]
    named = {*_SYSTEM, sys.prefix, sys.base_prefix, sys.exec_prefix, *sites, *libraries, *own}
    there = [path.rstrip("/") for path in named if path.startswith("/")]
    return sorted({*there, *map(os.path.realpath, there)} - {"", "/"})


def _is_setting(path: str) -> bool:
    hub = os.path.expanduser(os.environ.get("HF_HOME") or "~/.cache/huggingface")
    if "/__pycache__/" in path and not path.endswith(".pyc"):
        return True  # what Numba and its like keep of a source
    if path.startswith(f"{hub}/") and os.path.basename(path) in _HUB_NOTES:
        return True
    names = (os.path.expanduser(name) for name in _SETTINGS)
    return any(path == name or path.startswith(f"{name}/") for name in names)
