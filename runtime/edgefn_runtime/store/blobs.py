"""Blobs by digest: received as a stream, checked, and kept until no revision needs them.

A blob that has its name was hash-checked and is whole. Never knows a blob's contents, nor the revision that it
belongs to.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterable, Collection, Iterable
from pathlib import Path

from edgefn.bundle.oci.descriptors import Blob, check_digest
from edgefn.errors import BundleError
from edgefn_runtime.store.disk import TEMPORARY, Disk, expect_room, move_into_place, room_for, temporary
from edgefn_runtime.store.uncancellable import in_thread

_WRITE_BYTES = 2**20
"""Gathered before a thread is asked to write: a hop to it costs what hashing 50 kB does."""

LEASE_S = 6 * 3600.0
"""How long a blob without a revision is kept after a request for it: the other blobs may come over a slow link."""


class Blobs:
    """The blobs in `folder`. `ingest` is for the event loop; the rest blocks, in any thread."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._disk = disk
        self._leases: dict[str, float] = {}
        self._guard = threading.Lock()

    def path(self, digest: str) -> Path:
        """Return the path of the blob, there or not. Raises BundleError when `digest` is not a digest."""
        return self._folder / check_digest(digest).removeprefix("sha256:")

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def missing(self, digests: Iterable[str]) -> list[str]:
        """Return the digests of `digests` that are not stored, each once.

        Those that are stored are kept for a deployment that follows.
        """
        with self._guard:
            wanted = list(dict.fromkeys(digests))
            self._lease(wanted)
            return [digest for digest in wanted if not self.has(digest)]

    async def ingest(self, digest: str, size: int, chunks: AsyncIterable[bytes]) -> None:
        """Receive a blob and store it, whole and synced.

        Several uploads of one digest do not disturb each other. Raises DiskFull before the first byte when `size` bytes
        have no room, BundleError when the chunks are not `size` bytes of that digest; either leaves nothing behind.
        """
        with self._guard:
            self._lease([digest])
            if self.has(digest):
                return
        expect_room(self._disk, self._folder, size, f"blob {digest}")
        unfinished = temporary(self.path(digest))
        try:
            with room_for(f"blob {digest}"):
                await self._receive(unfinished, digest, size, chunks)
                await in_thread(move_into_place, self._disk, unfinished, self.path(digest))
        except (Exception, asyncio.CancelledError):
            with contextlib.suppress(OSError):
                self._disk.remove(unfinished)
            raise

    async def _receive(self, path: Path, digest: str, size: int, chunks: AsyncIterable[bytes]) -> None:
        upload = _Upload(self._disk, path, digest, size)
        try:
            async for chunk in chunks:
                if upload.take(chunk):
                    await in_thread(upload.flush)
            await in_thread(upload.finish)
        finally:
            upload.close()

    def verify(self, blob: Blob) -> None:
        """Check that the blob is stored and its bytes have its digest. Raises BundleError.

        A damaged blob is removed, so that the next upload sends it again.
        """
        path = self.path(blob.digest)
        try:
            with path.open("rb") as file:
                found = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
                whole = (found, os.fstat(file.fileno()).st_size) == blob
        except FileNotFoundError:
            raise BundleError(f"blob {blob.digest} is not on this box: deploy again to upload it") from None
        if not whole:
            self._disk.remove(path)
            raise BundleError(
                f"blob {blob.digest} was damaged on this box's disk and has been removed: deploy again to upload it"
            )

    def read(self, digest: str, *, limit: int) -> bytes:
        """Return the blob's bytes. Raises BundleError when it is missing, damaged, or over `limit` bytes."""
        path = self.path(digest)
        size = path.stat().st_size if path.exists() else 0
        if size > limit:
            raise BundleError(f"blob {digest} has {size} bytes, over the limit of {limit}")
        self.verify(Blob(digest, size))
        return path.read_bytes()

    def collect(self, keep: Collection[str]) -> None:
        """Remove every blob that is neither in `keep` nor was asked for lately."""
        for path in self._folder.iterdir():
            digest = f"sha256:{path.name}"
            with self._guard:
                if path.suffix != TEMPORARY and digest not in keep and not self._leased(digest):
                    self._disk.remove(path)

    def _lease(self, digests: Iterable[str]) -> None:
        now = time.monotonic()
        self._leases = {digest: end for digest, end in self._leases.items() if end > now}
        self._leases.update((digest, now + LEASE_S) for digest in digests)

    def _leased(self, digest: str) -> bool:
        return self._leases.get(digest, 0.0) > time.monotonic()


class _Upload:
    """An upload of one blob: a temporary file, and the hash of the bytes written to it."""

    def __init__(self, disk: Disk, path: Path, digest: str, size: int) -> None:
        self._disk, self._digest, self._size = disk, digest, size
        self._received = 0
        self._hash = hashlib.sha256()
        self._buffer = bytearray()
        self._descriptor = disk.create(path)

    def take(self, chunk: bytes) -> bool:
        """Add `chunk` to the buffer; tell whether it is time to flush.

        Raises BundleError when more bytes came than were declared.
        """
        self._received += len(chunk)
        if self._received > self._size:
            raise BundleError(f"blob {self._digest} has more than the {self._size} bytes declared for it")
        self._buffer += chunk
        return len(self._buffer) >= _WRITE_BYTES

    def flush(self) -> None:
        self._hash.update(self._buffer)
        self._disk.append(self._descriptor, self._buffer)
        self._buffer.clear()

    def finish(self) -> None:
        self.flush()
        if self._received != self._size:
            raise BundleError(f"blob {self._digest} ended after {self._received} of {self._size} bytes")
        if (found := f"sha256:{self._hash.hexdigest()}") != self._digest:
            raise BundleError(f"blob {self._digest} arrived with the digest {found}: send it again, or build again")
        self._disk.sync(self._descriptor)

    def close(self) -> None:
        self._disk.close(self._descriptor)
