"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from edgefn.errors import DiskFull
from edgefn_runtime.store.disk import (
    RESERVE_BYTES,
    TEMPORARY,
    OsDisk,
    clear_away,
    expect_room,
    move_into_place,
    room_for,
    write_file,
)
from tests.runtime.store.faults import Fault, FaultyDisk, PowerCut


def _operations(tmp_path: Path) -> int:
    disk = FaultyDisk()
    write_file(disk, tmp_path / "counted", b"new")
    return len(disk.operations)


@pytest.mark.parametrize("fault", ["cut before", "cut after"])
@pytest.mark.parametrize("before", [b"old contents", None])
def test_torn_write(tmp_path: Path, fault: Fault, before: bytes | None) -> None:
    """A power cut at any operation of a write leaves what was there, whole, or what was to be there, whole."""
    for at in range(1, _operations(tmp_path) + 1):
        path = tmp_path / f"{fault}-{at}"
        if before is not None:
            path.write_bytes(before)
        disk = FaultyDisk()
        disk.arm(at, fault)
        with pytest.raises(PowerCut):
            write_file(disk, path, b"new contents")
        found = path.read_bytes() if path.exists() else None
        assert found in (before, b"new contents"), disk.operations


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A disk that is full at any operation leaves the old file and no temporary one."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    for at in range(1, _operations(tmp_path)):  # all but the last, when the new one has its name
        disk = FaultyDisk()
        disk.arm(at, "full")
        with pytest.raises(DiskFull, match="free some"), room_for("the file"):
            write_file(disk, path, b"new")
        assert path.read_bytes() == b"old"
        assert not list(tmp_path.glob(f"*{TEMPORARY}"))


def test_mode_is_for_the_owner_alone(tmp_path: Path) -> None:
    """What is written and made can be read by nobody else."""
    disk = OsDisk()
    disk.make_folder(tmp_path / "a" / "b")
    write_file(disk, tmp_path / "a" / "b" / "file", b"secret")
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a" / "b")]
    assert modes == [0o700, 0o700]
    assert (tmp_path / "a" / "b" / "file").stat().st_mode & 0o777 == 0o600


def test_folder_replaces_folder(tmp_path: Path) -> None:
    """A complete folder takes the place of one that has something in it, of which nothing is left."""
    disk = OsDisk()
    for name in ("old", "new"):
        disk.make_folder(tmp_path / name)
        (tmp_path / name / name).write_bytes(b"")
    move_into_place(disk, tmp_path / "new", tmp_path / "old")
    assert [path.name for path in tmp_path.rglob("*")] == ["old", "new"]


@pytest.mark.parametrize("fault", ["cut before", "cut after"])
def test_half_removed_never_passes_for_whole(tmp_path: Path, fault: Fault) -> None:
    """A power cut while a folder is removed leaves it whole under its name, or without that name."""
    for at in (1, 2, 3):
        folder = tmp_path / f"{fault}-{at}"
        folder.mkdir()
        for name in ("a", "b"):
            (folder / name).write_bytes(b"")
        disk = FaultyDisk()
        disk.arm(at, fault)
        with pytest.raises(PowerCut):
            clear_away(disk, folder)
        assert not folder.exists() or len(list(folder.iterdir())) == 2


def test_room_is_predicted(tmp_path: Path) -> None:
    """More than the disk has free, less the reserve, is DiskFull before a byte is written."""
    disk = OsDisk()
    free = disk.free_bytes(tmp_path)
    expect_room(disk, tmp_path, 1, "a byte")
    with pytest.raises(DiskFull, match=r"the film needs .* free some"):
        expect_room(disk, tmp_path, free - RESERVE_BYTES + 2**30, "the film")


def test_other_errors_stay_what_they_are() -> None:
    """Only a full disk is told as one."""
    with pytest.raises(OSError) as caught, room_for("the file"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))
    assert caught.value.errno == errno.EIO
