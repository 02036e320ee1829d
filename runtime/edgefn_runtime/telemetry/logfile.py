"""One function's log on disk: appended to, rotated by size, read from its end.

`name.log` is the current file, `name.log.1` and `name.log.2` the ones before. The file is opened for each
append (15 µs, at most ten times a second) and not kept open: a box with hundreds of functions needs no
descriptor for each, and a file that an operator deletes or truncates is simply begun again. Nothing is
fsynced: logs are not worth a disk's latency, and a line torn by a power cut is closed by the next append.
Knows nothing of functions, followers or the event loop.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from edgefn_runtime.telemetry.record import records

ROTATE_BYTES = 4 * 2**20
KEPT = 2
TAIL_BYTES = 2**20
"""As much as `tail` reads, however many records are asked for: the event loop waits for it, up to 5 ms."""

_FIRST_READ_BYTES = 64 * 2**10


class LogFile:
    """The log at `path`, with the rotated files beside it."""

    def __init__(self, path: Path, *, rotate_bytes: int = ROTATE_BYTES) -> None:
        self._path = path
        self._rotate_bytes = rotate_bytes
        self._rotated = [path.with_name(f"{path.name}.{n}") for n in range(1, KEPT + 1)]

    def exists(self) -> bool:
        return any(path.exists() for path in (self._path, *self._rotated))

    def append(self, data: bytes) -> None:
        """Write all of `data` to the end of the file, or none of it. Raises OSError."""
        if self._size() + len(data) > self._rotate_bytes:
            self._rotate()
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._write(descriptor, data)
        finally:
            os.close(descriptor)

    def _write(self, descriptor: int, data: bytes) -> None:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            data = b"\n" + data
        if os.write(descriptor, data) < len(data):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._path))

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def _rotate(self) -> None:
        newer = [self._path, *self._rotated]
        for young, old in reversed(list(zip(newer, self._rotated, strict=False))):
            if young.exists():
                young.replace(old)

    def tail(self, count: int) -> list[str]:
        """Return the last `count` records, oldest first; fewer where they exceed TAIL_BYTES together."""
        wanted = _FIRST_READ_BYTES
        while True:
            data, whole = self._last_bytes(wanted)
            found = records(data.decode("utf-8", "replace"))
            complete = found if whole else found[1:]
            if whole or len(complete) >= count or wanted >= TAIL_BYTES:
                return complete[-count:] if count else []
            wanted *= 4

    def _last_bytes(self, count: int) -> tuple[bytes, bool]:
        """Return the last `count` bytes over all files, and whether that is the whole log."""
        parts: list[bytes] = []
        for path in (self._path, *self._rotated):
            data, whole = _end_of(path, count)
            parts.insert(0, data)
            count -= len(data)
            if not whole:
                return b"".join(parts), False
        return b"".join(parts), True

    def delete(self) -> None:
        for path in (self._path, *self._rotated):
            path.unlink(missing_ok=True)


def _end_of(path: Path, count: int) -> tuple[bytes, bool]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - count))
            return file.read(count), size <= count
    except FileNotFoundError:
        return b"", True
