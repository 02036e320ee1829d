"""Blobs come in whole and checked, or leave nothing behind."""

from __future__ import annotations

import asyncio
import hashlib
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from edgefn.bundle.oci.descriptors import Blob
from edgefn.errors import BundleError, DiskFull
from edgefn_runtime.store import blobs as blobs_module
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.disk import OsDisk
from tests.runtime.store.faults import FaultyDisk

DATA = os.urandom(3_000_000)


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


async def _chunks(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)


class RoomyDisk(OsDisk):
    """A disk that says it has room, so that writing finds out."""

    def free_bytes(self, folder: Path) -> int:
        return 2**40


def test_ingest(tmp_path: Path) -> None:
    """A blob that was taken in is here, byte for byte, and is not missing any more."""
    blobs = Blobs(tmp_path, OsDisk())
    digest = _digest(DATA)
    assert blobs.missing([digest, digest]) == [digest]
    asyncio.run(blobs.ingest(digest, len(DATA), _chunks(DATA)))
    assert blobs.path(digest).read_bytes() == DATA
    assert blobs.missing([digest]) == []
    blobs.verify(Blob(digest, len(DATA)))


def test_empty_blob(tmp_path: Path) -> None:
    """A blob of no bytes is one too."""
    blobs = Blobs(tmp_path, OsDisk())
    asyncio.run(blobs.ingest(_digest(b""), 0, _chunks(b"")))
    assert blobs.has(_digest(b""))


@pytest.mark.parametrize(
    ("data", "size", "words"),
    [
        (DATA[:-1], len(DATA), "ended after 2999999 of 3000000 bytes"),
        (DATA, len(DATA) - 1, "more than the 2999999 bytes"),
        (DATA[:-1] + bytes([DATA[-1] ^ 1]), len(DATA), "arrived with the digest sha256:"),
    ],
)
def test_wrong_bytes_leave_nothing(tmp_path: Path, data: bytes, size: int, words: str) -> None:
    """Too few, too many or other bytes are a BundleError that says which, and nothing stays."""
    blobs = Blobs(tmp_path, OsDisk())
    with pytest.raises(BundleError, match=words):
        asyncio.run(blobs.ingest(_digest(DATA), size, _chunks(data)))
    assert not list(tmp_path.iterdir())


def test_same_digest_at_once(tmp_path: Path) -> None:
    """Several uploads of one blob do not disturb each other, even when one of them breaks off."""
    blobs = Blobs(tmp_path, OsDisk())

    async def upload() -> list[BaseException | None]:
        whole = [blobs.ingest(_digest(DATA), len(DATA), _chunks(DATA)) for _ in range(4)]
        torn = blobs.ingest(_digest(DATA), len(DATA), _chunks(DATA[:1000]))
        return await asyncio.gather(*whole, torn, return_exceptions=True)

    *fine, broken = asyncio.run(upload())
    assert fine == [None] * 4
    assert isinstance(broken, BundleError)
    assert [path.name for path in tmp_path.iterdir()] == [blobs.path(_digest(DATA)).name]


def test_client_that_leaves(tmp_path: Path) -> None:
    """A cancelled upload leaves nothing behind."""
    blobs = Blobs(tmp_path, OsDisk())

    async def scenario() -> None:
        half = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield DATA[: len(DATA) // 2]
            half.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(blobs.ingest(_digest(DATA), len(DATA), slow()))
        await half.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()

    asyncio.run(scenario())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["", "sha256:../../x", "sha256:" + "A" * 64, "md5:" + "0" * 32])
def test_not_a_digest(tmp_path: Path, text: str) -> None:
    """A name that is no digest never becomes a path."""
    blobs = Blobs(tmp_path, OsDisk())
    for ask in (blobs.path, blobs.has, lambda digest: blobs.missing([digest])):
        with pytest.raises(BundleError, match="64 lower-case hexadecimal"):
            ask(text)


def test_damaged_blob_can_come_again(tmp_path: Path) -> None:
    """A blob that the disk damaged is refused and removed, so that it is missing and gets uploaded again."""
    blobs = Blobs(tmp_path, OsDisk())
    digest = _digest(DATA)
    asyncio.run(blobs.ingest(digest, len(DATA), _chunks(DATA)))
    blobs.path(digest).write_bytes(b"rot" + DATA[3:])
    with pytest.raises(BundleError, match=r"damaged .* deploy again"):
        blobs.verify(Blob(digest, len(DATA)))
    assert blobs.missing([digest]) == [digest]
    with pytest.raises(BundleError, match="not on this box"):
        blobs.verify(Blob(digest, len(DATA)))


def test_collect(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody needs goes, what was asked for lately stays, and what is being written stays."""
    blobs = Blobs(tmp_path, OsDisk())
    for data in (b"kept", b"asked for", b"garbage"):
        (tmp_path / _digest(data).removeprefix("sha256:")).write_bytes(data)
    (tmp_path / "upload.tmp").write_bytes(b"")
    blobs.missing([_digest(b"asked for")])
    blobs.collect({_digest(b"kept")})
    assert not blobs.has(_digest(b"garbage"))
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(blobs_module, "LEASE_S", 0.0)
    blobs.missing([_digest(b"asked for")])
    blobs.collect({_digest(b"kept")})
    assert {path.name for path in tmp_path.iterdir()} == {
        _digest(b"kept").removeprefix("sha256:"),
        "upload.tmp",
    }


def test_disk_full_predicted_before_download(tmp_path: Path) -> None:
    """A blob that has no room is refused before its first byte is asked for."""
    blobs = Blobs(tmp_path, OsDisk())
    asked = []

    async def chunks() -> AsyncIterator[bytes]:
        asked.append(True)
        yield b""

    with pytest.raises(DiskFull, match="free some, then try again"):
        asyncio.run(blobs.ingest(_digest(DATA), 2**60, chunks()))
    assert not asked


def test_fault_at_every_operation(tmp_path: Path) -> None:
    """A disk that is full at any operation of an upload gives DiskFull, and leaves nothing or the whole blob."""
    for at in range(1, 20):
        folder = tmp_path / str(at)
        folder.mkdir()
        disk = FaultyDisk()
        blobs = Blobs(folder, disk)
        disk.arm(at, "full")
        try:
            asyncio.run(blobs.ingest(_digest(DATA), len(DATA), _chunks(DATA)))
        except DiskFull:
            names = [path.name for path in folder.iterdir()]
            assert names in ([], [blobs.path(_digest(DATA)).name])
        else:
            assert len(disk.operations) == at - 1
            return
    pytest.fail("an upload takes more operations than this test knows")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small tmpfs needs root")
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


def test_disk_full_for_real(small_disk: Path) -> None:
    """On a disk that fills up while a blob is written: DiskFull, nothing left behind, and the next one fits."""
    blobs = Blobs(small_disk, RoomyDisk())
    with pytest.raises(DiskFull, match="no space left on the disk for blob sha256:"):
        asyncio.run(blobs.ingest(_digest(DATA), len(DATA), _chunks(DATA)))
    assert not list(small_disk.iterdir())
    small = DATA[:500_000]
    asyncio.run(blobs.ingest(_digest(small), len(small), _chunks(small)))
    assert blobs.has(_digest(small))


def test_disk_full_predicted_for_real(small_disk: Path) -> None:
    """On a disk that is too small, the prediction says so."""
    with pytest.raises(DiskFull, match=r"1\.0 MB free"):
        asyncio.run(Blobs(small_disk, OsDisk()).ingest(_digest(DATA), len(DATA), _chunks(DATA)))
