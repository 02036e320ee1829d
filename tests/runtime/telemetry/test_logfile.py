"""One function's log on disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgefn_runtime.telemetry.logfile import KEPT, TAIL_BYTES, LogFile


def filled(path: Path, count: int, *, rotate_bytes: int = 2**20) -> LogFile:
    log = LogFile(path, rotate_bytes=rotate_bytes)
    for number in range(count):
        log.append(b"record %d\n\tits second line\n" % number)
    return log


def test_tail_gives_the_last_records_oldest_first(tmp_path: Path) -> None:
    """Records come whole, however many lines they have."""
    log = filled(tmp_path / "echo.log", 10)
    assert log.tail(2) == ["record 8\n\tits second line", "record 9\n\tits second line"]
    assert len(log.tail(100)) == 10
    assert log.tail(0) == []


def test_tail_of_nothing_is_empty(tmp_path: Path) -> None:
    """A function that never printed has an empty log, not an error."""
    log = LogFile(tmp_path / "echo.log")
    assert log.tail(10) == []
    assert not log.exists()


def test_the_size_on_disk_is_bounded(tmp_path: Path) -> None:
    """However much is written, only the current file and KEPT rotated ones are there, none over the limit."""
    filled(tmp_path / "echo.log", 2000, rotate_bytes=4096)
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == KEPT + 1
    assert max(sizes) <= 4096


def test_tail_reads_across_rotated_files(tmp_path: Path) -> None:
    """Nobody who reads a log sees where it was rotated."""
    log = filled(tmp_path / "echo.log", 200, rotate_bytes=4096)
    numbers = [int(text.split()[1]) for text in log.tail(150)]
    assert numbers == list(range(50, 200))


def test_tail_reads_a_bounded_part(tmp_path: Path) -> None:
    """A request for very many records costs the reading of TAIL_BYTES, and gives whole records."""
    log = LogFile(tmp_path / "echo.log", rotate_bytes=2**24)
    log.append(b"".join(b"record %06d %s\n" % (n, b"x" * 100) for n in range(40_000)))
    found = log.tail(40_000)
    assert TAIL_BYTES // 200 < len(found) < TAIL_BYTES // 100
    assert found[0].startswith("record ")
    assert found[-1].startswith("record 039999 ")


def test_a_line_torn_by_a_power_cut_does_not_swallow_the_next(tmp_path: Path) -> None:
    """The first append after a torn one starts a new line."""
    path = tmp_path / "echo.log"
    path.write_bytes(b"whole\ntor")
    log = LogFile(path)
    log.append(b"next\n")
    assert log.tail(3) == ["whole", "tor", "next"]


def test_a_write_that_the_disk_takes_in_part_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk leaves whole records only, and the caller is told."""
    log = filled(tmp_path / "echo.log", 1)
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:3]))
    with pytest.raises(OSError, match="No space left"):
        log.append(b"record 1\n")
    monkeypatch.undo()
    assert log.tail(10) == ["record 0\n\tits second line"]


def test_deleting_takes_the_rotated_files_too(tmp_path: Path) -> None:
    """Nothing of a removed function's log is left."""
    log = filled(tmp_path / "echo.log", 500, rotate_bytes=4096)
    log.delete()
    assert list(tmp_path.iterdir()) == []
