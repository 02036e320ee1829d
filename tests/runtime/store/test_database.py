"""Routes and history change together or not at all."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn.bundle.oci.descriptors import Blob
from edgefn.errors import DiskFull, FunctionNotFound, HomeError
from edgefn_runtime.store import schema
from edgefn_runtime.store.database import Database, HistoryEntry
from edgefn_runtime.store.disk import OsDisk
from tests.runtime.store.faults import FaultyDisk, PowerCut

BLOBS = (Blob("sha256:m", 1), Blob("sha256:c", 2))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "box.db")
    yield opened
    opened.close()


def _deploy(database: Database, digest: str, function: str = "greet") -> HistoryEntry:
    return database.deploy(function, digest, b"{}", BLOBS)


def test_deploy(database: Database) -> None:
    """A deployment is current, in the history, and whole when read back."""
    entry = _deploy(database, "sha256:a")
    assert database.current("greet") == entry
    assert (entry.number, entry.previous, entry.blobs) == (1, None, BLOBS)
    assert database.history("greet") == database.routed() == [entry]
    assert database.names() == ["greet"]
    assert entry.deployed_at.endswith("Z")


def test_what_is_written_stays(tmp_path: Path) -> None:
    """Another process reads what this one committed, though this one never closed anything."""
    database = Database(tmp_path / "box.db")
    entry = _deploy(database, "sha256:a")
    again = Database(tmp_path / "box.db")
    assert again.current("greet") == entry
    for one in (again, database):
        one.close()


def test_numbers_are_never_used_twice(database: Database) -> None:
    """After a rollback the next deployment has a new number, and goes back to what served when it came."""
    for digest in ("sha256:a", "sha256:b", "sha256:c"):
        _deploy(database, digest)
    database.route("greet", 2)
    entry = _deploy(database, "sha256:d")
    assert (entry.number, entry.previous) == (4, 2)
    assert [one.number for one in database.history("greet")] == [4, 3, 2, 1]


def test_withdraw(database: Database) -> None:
    """A deployment that is withdrawn was never there."""
    first = _deploy(database, "sha256:a")
    database.withdraw(_deploy(database, "sha256:b"))
    assert database.current("greet") == first
    assert database.history("greet") == [first]
    assert database.next_number("greet") == 2
    database.withdraw(first)
    assert database.current("greet") is None
    assert database.next_number("greet") == 1


def test_remove(database: Database) -> None:
    """A removed function has no route and no history, and others keep theirs; an unknown one is told so."""
    _deploy(database, "sha256:a")
    other = _deploy(database, "sha256:a", "other")
    database.remove("greet")
    assert database.history("greet") == []
    assert database.routed() == [other]
    with pytest.raises(FunctionNotFound, match="'greet'"):
        database.remove("greet")


def test_forget(database: Database, tmp_path: Path) -> None:
    """Forgotten deployments are out of the history, and so is a bundle that no other deployment has."""
    for digest in ("sha256:a", "sha256:b", "sha256:a", "sha256:c"):
        _deploy(database, digest)
    database.forget("greet", [1, 2])
    assert [one.number for one in database.history("greet")] == [4, 3]
    with sqlite3.connect(tmp_path / "box.db") as connection:
        digests = {digest for (digest,) in connection.execute("SELECT digest FROM revisions")}
    connection.close()
    assert digests == {"sha256:a", "sha256:c"}


def test_what_serves_cannot_be_forgotten(database: Database) -> None:
    """A route to nothing cannot be written, whoever asks."""
    _deploy(database, "sha256:a")
    with pytest.raises(sqlite3.IntegrityError):
        database.forget("greet", [1])
    with pytest.raises(sqlite3.IntegrityError):
        database.route("greet", 7)
    assert database.current("greet") is not None


@pytest.mark.parametrize("fault", ["full", "cut before"])
def test_commit_that_fails_changes_nothing(tmp_path: Path, fault: str) -> None:
    """When the commit does not come to its end, both route and history are as before, also for this process."""
    disk = FaultyDisk()
    database = Database(tmp_path / "box.db", disk)
    first = _deploy(database, "sha256:a")
    disk.arm(1, fault)  # type: ignore[arg-type]
    with pytest.raises((OSError, PowerCut)):
        _deploy(database, "sha256:b")
    assert database.current("greet") == first
    assert database.history("greet") == [first]
    database.close()


def test_full_disk_is_told(tmp_path: Path) -> None:
    """SQLite's own word for a full disk becomes DiskFull, and the database goes on afterwards."""
    database = Database(tmp_path / "box.db")
    connection = database._writer
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(DiskFull, match=r"box\.db: free some"):
        database.deploy("greet", "sha256:a", b"x" * 100_000, BLOBS)
    connection.execute("PRAGMA max_page_count = 100000")
    assert _deploy(database, "sha256:a").number == 1
    database.close()


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    """A database that a newer edgefn wrote is left alone, and the message says what to do."""
    Database(tmp_path / "box.db").close()
    with sqlite3.connect(tmp_path / "box.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(HomeError, match=r"newer edgefn .* update edgefn"):
        Database(tmp_path / "box.db")


def test_damaged_database_is_told(tmp_path: Path) -> None:
    """A file that is no database is a HomeError, not a stack trace."""
    (tmp_path / "box.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(HomeError, match=r"damaged .* move it away"):
        Database(tmp_path / "box.db")


@pytest.mark.parametrize("version", range(schema.SCHEMA_VERSION + 1))
def test_a_database_that_no_edgefn_wrote_is_told(tmp_path: Path, version: int) -> None:
    """Of a trial that numbered its tables otherwise, or of another program: a HomeError, and nothing of it changes."""
    path = tmp_path / "box.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE users (name TEXT)")
        connection.execute(f"PRAGMA user_version = {version}")
        tables = connection.execute("SELECT * FROM sqlite_master").fetchall()
    with pytest.raises(HomeError, match=r"not written by any edgefn .* move it away"):
        Database(path).names()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM sqlite_master").fetchall() == tables
        assert connection.execute("PRAGMA user_version").fetchone() == (version,)


def test_power_cut_at_first_start(tmp_path: Path) -> None:
    """A database of which only the file was made becomes one at the next start."""
    (tmp_path / "box.db").write_bytes(b"")
    database = Database(tmp_path / "box.db", OsDisk())
    assert database.names() == []
    database.close()


def test_what_was_measured_is_kept_with_the_revision(database: Database) -> None:
    """Nothing before, the figures after, nothing of a revision that is not there; gone with the revision."""
    _deploy(database, "sha256:a")
    assert database.measured("sha256:a") == (None, None)
    database.measure("sha256:a", 40, 7)
    database.measure("sha256:b", 1, 1)
    assert database.measured("sha256:a") == (40, 7)
    assert database.measured("sha256:b") == (None, None)
    database.remove("greet")
    assert database.measured("sha256:a") == (None, None)


def test_a_database_of_the_first_schema_goes_on(tmp_path: Path) -> None:
    """What an older edgefn deployed is there, not measured yet, and can be."""
    path = tmp_path / "box.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema._TABLES + "PRAGMA user_version = 1;")
        connection.execute("INSERT INTO revisions VALUES ('sha256:a', x'7b7d', x'5b5d')")
        connection.execute("INSERT INTO history VALUES ('greet', 1, 'sha256:a', NULL, '2026-01-01T00:00:00Z')")
        connection.execute("INSERT INTO routes VALUES ('greet', 1, 1)")
        connection.commit()
    with contextlib.closing(Database(path)) as database:
        current = database.current("greet")
        assert current is not None
        assert (current.digest, database.measured("sha256:a")) == ("sha256:a", (None, None))
        database.measure("sha256:a", 40, None)
    with contextlib.closing(Database(path)) as database:
        assert database.measured("sha256:a") == (40, None)


class FullDisk(OsDisk):
    """A disk without room."""

    def free_bytes(self, folder: Path) -> int:
        return 0


def _no_room(path: Path) -> sqlite3.Connection:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = 4874  # SQLITE_IOERR_SHMSIZE: the file beside the database does not fit
    raise error


def test_without_room_to_open_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is deployed is there; each change raises DiskFull and changes nothing."""
    path = tmp_path / "box 100%.db"
    before = Database(path)
    entry = _deploy(before, "sha256:a")
    before.close()
    monkeypatch.setattr("edgefn_runtime.store.database._connect", _no_room)
    full = Database(path, FullDisk())
    assert full.routed() == [entry]
    with pytest.raises(DiskFull, match="restart the box"):
        _deploy(full, "sha256:b")
    with pytest.raises(DiskFull):
        full.remove("greet")
    assert full.current("greet") == entry
    full.close()


@pytest.mark.parametrize("why", ["a log that is left", "room"])
def test_what_may_not_be_whole_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """With commits in the log beside it, or an error of another cause, the database does not open."""
    Database(tmp_path / "box.db").close()
    if why != "room":
        (tmp_path / "box.db-wal").write_bytes(b"commits")
    monkeypatch.setattr("edgefn_runtime.store.database._connect", _no_room)
    with pytest.raises(sqlite3.OperationalError):
        Database(tmp_path / "box.db", OsDisk() if why == "room" else FullDisk())
