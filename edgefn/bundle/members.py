"""The members of a tar that may be hostile, one at a time: the subset of pax that `pack` writes.

A header is either understood in full or refused, so that no extension can disagree with us about where a
member begins, what it is called or how long it is. Reads headers of 512 bytes and pax headers of at most
MAX_PAX_BYTES into memory; never a whole file, and never writes.

Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from edgefn.errors import BundleError

CHUNK_BYTES = 2**20
MAX_MEMBERS = 100_000
MAX_NAME_BYTES = 1024
# One `path` record of the longest name, and its length and keyword.
MAX_PAX_BYTES = MAX_NAME_BYTES + 64

_BLOCK = tarfile.BLOCKSIZE
_FILE_TYPES = (tarfile.REGTYPE, tarfile.AREGTYPE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_PAX_PATH = re.compile(rb"(\d{1,5}) path=([^\n\x00]+)\n")
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a fifo",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.XGLTYPE: "a global pax header",
}


@dataclass(frozen=True)
class Member:
    """One file or folder of an archive. Read its `chunks` before the next member is asked for."""

    name: str
    size: int
    is_folder: bool
    executable: bool
    file: BinaryIO

    def chunks(self) -> Iterator[bytes]:
        left = self.size
        while left:
            chunk = self.file.read(min(left, CHUNK_BYTES))
            if not chunk:
                raise BundleError(f"the archive ends inside {self.name!r}, {left} bytes too early")
            left -= len(chunk)
            yield chunk


def check_name(name: str) -> str:
    """Return `name` if it is a relative path that stays below its folder, the same on every machine.

    Raise BundleError for an absolute path, `.`, `..`, empty parts, backslashes, control characters, bytes that are not
    UTF-8, and names too long for a file system.
    """
    parts = name.split("/")
    if name.startswith("/"):
        raise BundleError(f"name {name[:80]!r} is an absolute path")
    if _CONTROL.search(name):
        raise BundleError(f"name {name[:80]!r} has a backslash, a control character or bytes that are not UTF-8")
    if any(part in ("", ".", "..") for part in parts):
        raise BundleError(f"name {name[:80]!r} has an empty part, '.' or '..'")
    if len(name.encode()) > MAX_NAME_BYTES or max(len(part.encode()) for part in parts) > 255:
        raise BundleError(
            f"name {name[:80]!r}... is too long: at most {MAX_NAME_BYTES} bytes are allowed, 255 in each part"
        )
    return name


def read_members(file: BinaryIO, *, max_members: int = MAX_MEMBERS) -> Iterator[Member]:
    """Yield the files and folders in `file`, in order. Raise BundleError on anything out of the subset."""
    seen: set[str] = set()
    while header := _next_header(file):
        long_name = ""
        if header.type == tarfile.XHDTYPE:
            long_name = _pax_path(file, header)
            header = _next_header(file)
        if header is None:
            raise BundleError("the archive ends after a pax header")
        start = file.tell()
        member = _member(file, header, long_name or header.name)
        if member.name in seen:
            raise BundleError(f"{member.name!r} is in the archive twice")
        seen.add(member.name)
        if len(seen) > max_members:
            raise BundleError(f"the archive has more than {max_members} members")
        yield member
        file.seek(start + _padded(member.size))
    _check_end(file)


def _next_header(file: BinaryIO) -> tarfile.TarInfo | None:
    """Read the next header; return None at the end-of-archive mark."""
    block = file.read(_BLOCK)
    if block == bytes(_BLOCK):
        return None
    try:
        header = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise BundleError(f"the archive is cut off or corrupt at byte {file.tell() - len(block)}: {error}") from None
    if header.size < 0:
        raise BundleError(f"{header.name!r} declares {header.size} bytes")
    return header


def _pax_path(file: BinaryIO, header: tarfile.TarInfo) -> str:
    if header.size > MAX_PAX_BYTES:
        raise BundleError(f"a pax header has {header.size} bytes, over the limit of {MAX_PAX_BYTES}")
    record = file.read(_padded(header.size))[: header.size]
    match = _PAX_PATH.fullmatch(record)
    if match is None or int(match[1]) != len(record):
        raise BundleError(f"a pax header holds more than a path, or is cut off: {record[:80]!r}")
    try:
        return match[2].decode()
    except UnicodeDecodeError:
        raise BundleError(f"a pax header's path is not UTF-8: {match[2][:80]!r}") from None


def _member(file: BinaryIO, header: tarfile.TarInfo, name: str) -> Member:
    is_folder = header.type == tarfile.DIRTYPE
    if not is_folder and header.type not in _FILE_TYPES:
        raise BundleError(f"{name[:80]!r} is {_KINDS.get(header.type, f'of unknown type {header.type!r}')}")
    if is_folder and header.size:
        raise BundleError(f"folder {name[:80]!r} declares {header.size} bytes")
    name = check_name(name.removesuffix("/") if is_folder else name)
    return Member(name, header.size, is_folder, bool(header.mode & 0o100), file)


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _check_end(file: BinaryIO) -> None:
    # tarfile pads with zeros to a record of 10,240 bytes; anything else there would be unseen cargo.
    rest = file.read(tarfile.RECORDSIZE)
    if any(rest) or file.read(1):
        raise BundleError("the archive has bytes after its end")
