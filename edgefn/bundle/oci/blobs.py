"""A layout's blobs/sha256: files named by their content. Their hash is checked at each write and each read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgefn.bundle.documents import MAX_DOCUMENT_BYTES, refuse
from edgefn.bundle.members import CHUNK_BYTES
from edgefn.bundle.oci.descriptors import Blob, check_digest
from edgefn.errors import BundleError
from edgefn.system.durable import replace_file


class BlobFolder:
    """The blobs of one layout. A blob that `put` returned from is whole and on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, digest: str) -> Path:
        """Return the blob's path, whether the blob exists or not. Raise BundleError for an invalid digest."""
        return self.path / check_digest(digest).removeprefix("sha256:")

    def put(self, blob: Blob, source: Path | bytes) -> None:
        """Store the blob. An intact blob is left alone; a damaged one is replaced."""
        if not self._is_right(blob):
            chunks = [source] if isinstance(source, bytes) else read_chunks(source)
            replace_file(self.file(blob.digest), _checked(chunks, blob, str(self.file(blob.digest))))

    def _is_right(self, blob: Blob) -> bool:
        try:
            self.check(blob)
        except BundleError:
            return False
        return True

    def check_size(self, blob: Blob) -> None:
        """Raise BundleError unless the blob is there with its size."""
        try:
            size = self.file(blob.digest).stat().st_size
        except OSError as error:
            refuse(f"cannot read blob {self.file(blob.digest)} ({error.strerror})")
        if size != blob.size:
            refuse(f"blob {self.file(blob.digest)} has {size} bytes, but {blob.size} were declared")

    def check(self, blob: Blob) -> None:
        """Raise BundleError unless the blob is there, of its size, and hashes to its digest."""
        self.check_size(blob)
        path = self.file(blob.digest)
        for _ in _checked(read_chunks(path), blob, str(path)):
            pass

    def document(self, digest: str, size: int | None = None) -> bytes:
        """Read a manifest or a config and check its hash. Raise BundleError also when it is too large."""
        path = self.file(digest)
        found = read_document(path)
        return b"".join(_checked([found], Blob(digest, len(found) if size is None else size), str(path)))


def read_chunks(path: Path) -> Iterator[bytes]:
    """Yield the bytes of the file, a megabyte at a time."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


def read_document(path: Path) -> bytes:
    """Read a JSON document of a layout. Raise BundleError where it cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        refuse(f"cannot read {path} ({error.strerror})")
    if len(data) > MAX_DOCUMENT_BYTES:
        refuse(f"{path} is over the limit of {MAX_DOCUMENT_BYTES} bytes for a document")
    return data


def _checked(chunks: Iterable[bytes], blob: Blob, where: str) -> Iterator[bytes]:
    """Yield `chunks`; at their end, raise BundleError unless they were `blob`."""
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
        yield chunk
    found = Blob(f"sha256:{hasher.hexdigest()}", size)
    if found != blob:
        refuse(f"blob {where} is damaged: it is {found.digest} with {size} bytes, not {blob.digest} with {blob.size}")
