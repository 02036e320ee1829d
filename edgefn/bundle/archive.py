"""Deterministic tar archives: `pack` writes a layer, `unpack` reads one that may be hostile.

Files only, and a pax header where a name is long or not ASCII (see members.py for what is refused and why).
Never makes a link, never follows one that is in the folder it writes to, and sets no bits but 0644 and 0755.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
from collections.abc import Iterable
from io import BytesIO
from pathlib import Path
from typing import IO, BinaryIO, cast

from edgefn.bundle.members import CHUNK_BYTES, MAX_MEMBERS, Member, check_name, read_members
from edgefn.errors import BuildError, BundleError
from edgefn.system.durable import explained_when_full, sync

# The end of ustar's octal size field; a larger file would need one more pax key in the reader.
MAX_FILE_BYTES = 8 * 2**30 - 1


def pack(files: Iterable[tuple[str, Path | bytes]], out: Path) -> tuple[str, int]:
    """Write `files` (name, content) to `out` as an uncompressed tar; return its digest and size in bytes.

    The same names, contents and executable bits give the same bytes, whatever the order, times, owners or umask. A path
    is followed to its content. Raise BuildError for a name or a file that cannot go in.
    """
    entries = _unique(files)
    with explained_when_full(out), out.open("wb") as file:
        sink = _HashingFile(file)
        with tarfile.TarFile(
            mode="w", fileobj=cast(IO[bytes], sink), format=tarfile.PAX_FORMAT, copybufsize=CHUNK_BYTES
        ) as tar:
            for name, content in sorted(entries.items()):
                _add(tar, name, content)
    return f"sha256:{sink.hash.hexdigest()}", sink.size


def _unique(files: Iterable[tuple[str, Path | bytes]]) -> dict[str, Path | bytes]:
    entries: dict[str, Path | bytes] = {}
    for name, content in files:
        try:
            check_name(name)
        except BundleError as error:
            raise BuildError(f"cannot pack a file: {error}; rename it") from None
        if name in entries:
            raise BuildError(f"cannot pack {name!r}: the name occurs twice")
        entries[name] = content
    return entries


def _add(tar: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    if isinstance(content, bytes):
        tar.addfile(_header(name, len(content), mode=0o644), BytesIO(content))
        return
    with _opened(content) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise BuildError(f"cannot pack {content}: it is not a plain file of less than 8 GiB")
        mode = 0o755 if status.st_mode & stat.S_IXUSR else 0o644
        tar.addfile(_header(name, status.st_size, mode=mode), file)


def _opened(path: Path) -> BinaryIO:
    try:
        return open(path, "rb", opener=_open_at_once)
    except OSError as error:
        raise BuildError(f"cannot pack {path}: {error.strerror}") from error


def _open_at_once(path: str, flags: int) -> int:
    # Opening a fifo that nobody writes to would else wait for ever.
    return os.open(path, flags | os.O_NONBLOCK)


def _header(name: str, size: int, *, mode: int) -> tarfile.TarInfo:
    header = tarfile.TarInfo(name)
    header.size, header.mode = size, mode
    return header


class _HashingFile:
    """Counts and hashes what passes through to `file`."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        self.size += len(data)
        return self.file.write(data)

    def tell(self) -> int:
        return self.size


def unpack(tar: Path, folder: Path, *, limit_bytes: int, below: str = "", max_members: int = MAX_MEMBERS) -> int:
    """Unpack the archive below `folder` and sync it to the disk; return the number of files and folders.

    Modes are 0644 or 0755. `limit_bytes` is the layer's declared size. Every member must lie in `below`, which is the
    layer's `Descriptor.folder`. There are `max_members` at most, counting the folders that appear only inside names.
    Raise BundleError on anything that `pack` does not write, on a name that would leave `folder`, and where a file is
    there already; DiskFull when there is no room. Files written before the error stay: unpack into a folder that is
    removed then.
    """
    tree = _Tree(folder)
    try:
        with explained_when_full(folder), tar.open("rb") as file:
            _check_size(os.fstat(file.fileno()).st_size, limit_bytes)
            for member in read_members(file, max_members=max_members):
                _check_below(member.name, below)
                tree.write(member)
                if tree.count > max_members:  # one name may be of five hundred folders
                    raise BundleError(f"it has more than {max_members} files and folders")
            tree.sync()
            return tree.count
    except BundleError as error:
        raise BundleError(f"cannot unpack {tar.name}: {error}; build the bundle again or copy it again") from error


def _check_size(size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise BundleError(f"it has {size} bytes, but {limit_bytes} were declared")


def _check_below(name: str, below: str) -> None:
    if below and not f"{name}/".startswith(f"{below}/"):
        raise BundleError(f"{name!r} is not below {below}/")


class _Tree:
    """What one `unpack` has written below `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.folders = {folder}
        self.files: list[Path] = []

    @property
    def count(self) -> int:
        """Return how many files and folders there are by now."""
        return len(self.files) + len(self.folders) - 1

    def write(self, member: Member) -> None:
        path = self.folder / member.name
        self._make(path if member.is_folder else path.parent)
        if member.is_folder:
            return
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        except FileExistsError:
            raise BundleError(f"{member.name!r} is already there") from None
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o755 if member.executable else 0o644)
            for chunk in member.chunks():
                file.write(chunk)
        self.files.append(path)

    def _make(self, folder: Path) -> None:
        if folder in self.folders:
            return
        self._make(folder.parent)
        try:
            folder.mkdir()
            folder.chmod(0o755)
        except FileExistsError:
            # Another layer's folder will do; a file or a link to elsewhere will not.
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise BundleError(f"{folder.name!r} is both a file and a folder") from None
        self.folders.add(folder)

    def sync(self) -> None:
        # At the end and not after each file, so that the disk gets them all at once.
        for path in self.files:
            sync(path)
        for folder in self.folders:
            sync(folder)
