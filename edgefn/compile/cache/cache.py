"""Results of the build by the hash of what they depend on, below `<project>/.edgefn/cache/`.

    <kind>/<key>/          the result's files, and entry.json with the hash of each

An entry is renamed into place whole and checked by hash when it is read, so it needs no fsync: a power cut leaves
an entry that is not there, or one that does not check and is made again. The folder may be deleted at any time.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from edgefn.errors import BuildError
from edgefn.system.durable import explained_when_full

UNUSED_S = 30 * 24 * 3600.0
"""An entry that was not used for this long is removed."""

TEMPORARY = ".making-"
"""How the names of folders begin that are not entries yet, and go when their build ends."""

_INDEX = "entry.json"
_IN_THE_WAY = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR}


def key_of(*parts: object) -> str:
    """Hash `parts`: strings, numbers, or nested lists and dicts of them."""
    return hashlib.sha256(msgspec.json.encode(parts, order="sorted")).hexdigest()


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def writable(folders: Iterable[Path]) -> Iterator[None]:
    """Explain errors of writing below `folders` meanwhile.

    Raise BuildError where a file cannot be written, and DiskFull when the disk is full.
    """
    roots = tuple(folders)
    try:
        with explained_when_full(roots[0]):
            yield
    except OSError as error:
        root = next((one for one in roots if Path(str(error.filename)).is_relative_to(one)), None)
        if root is None or error.errno not in _IN_THE_WAY:
            raise
        raise BuildError(
            f"cannot write {error.filename}: {error.strerror}; {root} must be a folder that you can write to (you can "
            "delete it at any time)"
        ) from error


class Cache:
    """The entries below `root`. With `fresh`, none is found: everything is made again and replaces what was there."""

    def __init__(self, root: Path, *, fresh: bool = False) -> None:
        self.root = root
        self.fresh = fresh
        self._made: set[Path] = set()

    def find(self, kind: str, key: str) -> Path | None:
        """Find an entry with unchanged files; return its folder, or None."""
        folder = self.root / kind / key
        if (self.fresh and folder not in self._made) or not _is_whole(folder):
            return None
        os.utime(folder)
        return folder

    def make(self, kind: str, key: str, fill: Callable[[Path], object]) -> Path:
        """Make an entry: `fill` writes its files. Return its folder; an older entry is replaced."""
        self.root.mkdir(parents=True, exist_ok=True)
        folder = self.root / kind / key
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=self.root))
        try:
            fill(temporary)
            _write_index(temporary)
            folder.parent.mkdir(exist_ok=True)
            _replace(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._made.add(folder)
        return folder

    def obtain(self, kind: str, key: str, fill: Callable[[Path], object]) -> Path:
        """Return the entry's folder; make it with `fill` when it does not exist."""
        return self.find(kind, key) or self.make(kind, key, fill)

    def prune(self) -> None:
        """Remove the entries that were not used for a month."""
        _remove_older(self.root.glob("*/*"), time.time() - UNUSED_S)

    def clear(self) -> None:
        """Remove the folders that killed builds and compilers left. Call only while no other build runs."""
        for folder in self.root.glob(f"{TEMPORARY}*"):
            shutil.rmtree(folder, ignore_errors=True)


def _is_whole(folder: Path) -> bool:
    try:
        hashes = msgspec.json.decode((folder / _INDEX).read_bytes(), type=dict[str, str])
        return _files(folder) == set(hashes) and all(
            hash_file(folder / name) == digest for name, digest in hashes.items()
        )
    except (OSError, msgspec.MsgspecError):
        return False


def _write_index(folder: Path) -> None:
    hashes = {name: hash_file(folder / name) for name in sorted(_files(folder))}
    (folder / _INDEX).write_bytes(msgspec.json.encode(hashes))


def _files(folder: Path) -> set[str]:
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return found - {_INDEX}


def _replace(temporary: Path, folder: Path) -> None:
    try:
        temporary.rename(folder)
    except OSError:  # a folder that holds files cannot be renamed over: an older entry, a damaged one, another build's
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)


def _remove_older(folders: Iterable[Path], oldest: float) -> None:
    for folder in folders:
        try:
            if folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
        except FileNotFoundError:  # another build removed it
            continue
