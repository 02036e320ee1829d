"""The box's one database: revisions, history and routes. SQLite in WAL mode, each change one synced transaction.

A function without a route is not deployed. Reading takes microseconds and never waits for a writer's fsync,
so the event loop may do it; whatever changes something blocks, and belongs in a thread. Never touches blobs
or folders.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec

from edgefn.api.grants import Grant
from edgefn.bundle.oci.descriptors import Blob
from edgefn.errors import DiskFull, FunctionNotFound, HomeError
from edgefn_runtime.store import schema
from edgefn_runtime.store.disk import RESERVE_BYTES, Disk, OsDisk

_BUSY_S = 10.0
_ENTRY = """SELECT function, number, digest, previous, deployed_at, config, blobs
            FROM history JOIN revisions USING (digest) """
_ORPHANS = "DELETE FROM revisions WHERE digest NOT IN (SELECT digest FROM history)"

_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""SQLite's error codes if the files beside the database do not fit the disk."""

_log = logging.getLogger("edgefn.store")

_Change = Callable[..., sqlite3.Cursor]


class HistoryEntry(msgspec.Struct, frozen=True):
    """One deployment of a function: a row of its history, with the bundle's config and blobs."""

    function: str
    number: int
    digest: str
    previous: int | None
    deployed_at: str
    config: bytes
    blobs: tuple[Blob, ...]


class Database:
    """The database at `path`. Raises HomeError when it is damaged, newer or of another program, DiskFull when full.

    Where the disk has no room to open it for writing, it is opened for reading alone: what is deployed serves, and each
    change raises DiskFull.
    """

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self._path = path
        self._disk = disk or OsDisk()
        self._writing, self._reading = threading.Lock(), threading.Lock()
        with self._readable():
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite's would be for all to read
            try:
                self._open(_connect)
            except sqlite3.OperationalError as error:
                if not self._lacks_room(error):
                    raise
                self._open(_connect_to_read)
                _log.warning(
                    "no space left to write %s (%s): deployed functions are served, but nothing can be changed until "
                    "space is freed and the box is restarted",
                    *(path, error),
                )
        self._disk.sync_folder(path.parent)

    def _open(self, connect: Callable[[Path], sqlite3.Connection]) -> None:
        with contextlib.ExitStack() as opened:
            self._writer, self._reader = (opened.enter_context(contextlib.closing(connect(self._path))) for _ in "12")
            self.had_version = schema.prepare(self._writer, self._path)
            opened.pop_all()

    def _lacks_room(self, error: sqlite3.Error) -> bool:
        """Tell whether it is for the disk alone, and all that was ever written is in the file itself."""
        log = self._path.with_name(f"{self._path.name}-wal")
        left = log.exists() and log.stat().st_size > 0
        return _code(error) in _NO_ROOM and not left and self._disk.free_bytes(self._path.parent) < RESERVE_BYTES

    def close(self) -> None:
        for connection in (self._reader, self._writer):
            connection.close()

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────

    def current(self, function: str) -> HistoryEntry | None:
        """Return the deployment that serves `function`, or None when it is not deployed."""
        return _only(self._entries("JOIN routes USING (function, number) WHERE function = ?", function))

    def routed(self) -> list[HistoryEntry]:
        """Return the deployment that serves each function, sorted by name."""
        return self._entries("JOIN routes USING (function, number) ORDER BY function")

    def history(self, function: str) -> list[HistoryEntry]:
        """Return the deployments of `function`, newest first."""
        return self._entries("WHERE function = ? ORDER BY number DESC", function)

    def entry(self, function: str, number: int) -> HistoryEntry | None:
        return _only(self._entries("WHERE function = ? AND number = ?", function, number))

    def names(self) -> list[str]:
        """Return the names of the deployed functions, sorted."""
        return [name for (name,) in self._rows("SELECT function FROM routes ORDER BY function")]

    def next_number(self, function: str) -> int:
        """Return the number of the next deployment of `function`."""
        rows = self._rows("SELECT last_number FROM routes WHERE function = ?", function)
        return rows[0][0] + 1 if rows else 1

    def measured(self, digest: str) -> tuple[int | None, int | None]:
        """Return the measured bytes of a template of the revision, and of each instance beside it.

        Each is None until it is measured on this box.
        """
        rows = self._rows("SELECT template_bytes, instance_bytes FROM revisions WHERE digest = ?", digest)
        return rows[0] if rows else (None, None)

    def granted(self, function: str = "") -> list[Grant]:
        """Return the grants of `function`, or of all, sorted."""
        query = "SELECT function, kind, value, granted_at, granted_by FROM grants WHERE ?1 IN ('', function) "
        return [Grant(*row) for row in self._rows(query + "ORDER BY function, kind, value", function)]

    def users(self) -> dict[str, int]:
        """Return the uid that each function runs as, by the function's name."""
        return dict(self._rows("SELECT function, uid FROM users"))

    # ── changing, one transaction each ────────────────────────────────────────────────────────────────────

    def deploy(self, function: str, digest: str, config: bytes, blobs: Collection[Blob]) -> HistoryEntry:
        """Add a new deployment of `function` to its history and route the function to it."""
        current, number = self.current(function), self.next_number(function)
        previous = current.number if current else None
        entry = HistoryEntry(function, number, digest, previous, _now(), config, tuple(blobs))
        with self._transaction() as change:
            encoded = msgspec.json.encode(blobs)
            change("INSERT OR IGNORE INTO revisions (digest, config, blobs) VALUES (?, ?, ?)", digest, config, encoded)
            row = (function, number, digest, previous, entry.deployed_at)
            change("INSERT INTO history VALUES (?, ?, ?, ?, ?)", *row)
            change(
                "INSERT INTO routes VALUES (?1, ?2, ?2) "
                "ON CONFLICT (function) DO UPDATE SET number = ?2, last_number = ?2",
                function,
                number,
            )
        return entry

    def withdraw(self, entry: HistoryEntry) -> None:
        """Undo the deployment just made: route to the one before, and free its number."""
        with self._transaction() as change:
            if entry.previous is None:
                change("DELETE FROM routes WHERE function = ?", entry.function)
            else:
                change(
                    "UPDATE routes SET number = ?, last_number = ? WHERE function = ?",
                    entry.previous,
                    entry.number - 1,
                    entry.function,
                )
            change("DELETE FROM history WHERE function = ? AND number = ?", entry.function, entry.number)
            change(_ORPHANS)

    def route(self, function: str, number: int) -> None:
        """Route `function` to its deployment `number`."""
        with self._transaction() as change:
            change("UPDATE routes SET number = ? WHERE function = ?", number, function)

    def measure(self, digest: str, template_bytes: int | None, instance_bytes: int | None) -> None:
        """Store the measured bytes of the revision, see `measured`. Does nothing when it is not installed."""
        with self._transaction() as change:
            change(
                "UPDATE revisions SET template_bytes = ?, instance_bytes = ? WHERE digest = ?",
                template_bytes,
                instance_bytes,
                digest,
            )

    def keep_user(self, function: str, uid: int) -> None:
        """Assign the user `uid` to `function`, and take it from any other function."""
        with self._transaction() as change:
            change("DELETE FROM users WHERE function = ? OR uid = ?", function, uid)
            change("INSERT INTO users VALUES (?, ?)", function, uid)

    def remove(self, function: str) -> None:
        """Remove `function` with its history and its grants. Raises FunctionNotFound."""
        if self.current(function) is None:
            raise FunctionNotFound(f"no function {function!r} on this box")
        with self._transaction() as change:
            change("DELETE FROM routes WHERE function = ?", function)
            change("DELETE FROM history WHERE function = ?", function)
            change("DELETE FROM grants WHERE function = ?", function)  # another function of that name asks anew
            change(_ORPHANS)

    def grant(self, function: str, kind: str, value: str, by: str) -> bool:
        """Give `function` the permission; return whether it had not."""
        with self._transaction() as change:
            row = (function, kind, value, _now(), by)
            return bool(change("INSERT OR IGNORE INTO grants VALUES (?, ?, ?, ?, ?)", *row).rowcount)

    def revoke(self, function: str, kind: str, value: str) -> bool:
        """Take the permission from `function`; return whether it had it."""
        with self._transaction() as change:
            where = "function = ? AND kind = ? AND value = ?"
            return bool(change(f"DELETE FROM grants WHERE {where}", function, kind, value).rowcount)

    def forget(self, function: str, numbers: Collection[int]) -> None:
        """Remove the deployments `numbers`, none of which serves, from the history of `function`."""
        if not numbers:
            return
        with self._transaction() as change:
            for number in numbers:
                change("DELETE FROM history WHERE function = ? AND number = ?", function, number)
            change(_ORPHANS)

    # ── for the tables of others, each in a module of its own ─────────────────────────────────────────────

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self._rows(query, *values)

    def transaction(self) -> contextlib.AbstractContextManager[_Change]:
        """Return a change that is made whole or not at all, and is on the disk afterwards."""
        return self._transaction()

    # ── how ───────────────────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[_Change]:
        with self._writing, self._readable():
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield lambda statement, *values: self._writer.execute(statement, values)
                self._disk.commit(self._writer)
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        with self._reading, self._readable():
            return self._reader.execute(query, values).fetchall()

    def _entries(self, clause: str, *values: object) -> list[HistoryEntry]:
        return [_entry(row) for row in self._rows(_ENTRY + clause, *values)]

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            code = _code(error)
            if code == sqlite3.SQLITE_FULL:
                raise DiskFull(f"no space left on the disk for {self._path}: free some, then try again") from error
            if code == sqlite3.SQLITE_READONLY:
                raise DiskFull(
                    f"the disk had no space left for {self._path} when the box started: free some, then restart the box"
                ) from error
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise HomeError(
                    f"{self._path} is damaged ({error}): move it away, start the box and deploy again"
                ) from error
            if code == sqlite3.SQLITE_ERROR:
                raise HomeError(
                    f"{self._path} was not written by any edgefn ({error}): replace it by a backup, or move it away, "
                    "start the box and deploy again"
                ) from error
            raise


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Return a connection that needs no file beside the database, and writes nothing."""
    return sqlite3.connect(
        f"file:{quote(str(path))}?immutable=1", uri=True, isolation_level=None, check_same_thread=False
    )


def _code(error: sqlite3.Error) -> int:
    """Return the primary code of an extended one."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _entry(row: tuple[Any, ...]) -> HistoryEntry:
    function, number, digest, previous, deployed_at, config, blobs = row
    try:
        wanted = msgspec.json.decode(blobs, type=tuple[Blob, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return HistoryEntry(
            function, number, digest, previous, deployed_at, b"", ()
        )  # a bad block: it alone is not readable
    return HistoryEntry(function, number, digest, previous, deployed_at, config, wanted)


def _only(entries: list[HistoryEntry]) -> HistoryEntry | None:
    return entries[0] if entries else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
