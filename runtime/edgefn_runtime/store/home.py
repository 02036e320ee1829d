"""The box's home directory: made, locked by one live box, and known by name. Owns the token and the lock.

    token               the first token, which opens everything, mode 0600
    tls/                the certificate that `--tls auto` made, and its key
    lock                flock(2) by the live box, its pid inside
    box.db              see database.py
    blobs/sha256/       see blobs.py
    bundles/<hex>/      unpacked bundles, by manifest digest; one that is there is complete
    finished/<fp>/<hex>/  artifacts finished for this very machine; a cache
    secrets/            see vault.py, which has its key in <home>-keys/, beside the home
    logs/ run/          the functions' logs; the live box's address, and its owner's socket

Never reads the files that other modules keep here.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from edgefn.errors import HomeError
from edgefn_runtime.store import ownership
from edgefn_runtime.store.disk import Disk, OsDisk, room_for, write_file

_TOKEN_BYTES = 32
_SHORTEST_TOKEN = 32
"""Characters; a shorter one in the file was torn or typed, and would be a weak lock."""

_DATABASE_FILES = ("box.db", "box.db-wal", "box.db-shm")
_log = logging.getLogger("edgefn.store")


class Home:
    """An open home: there, writable, open to its owner alone, and locked until `close`. Raises HomeError."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self.path = path.absolute()
        self.disk = disk or OsDisk()
        self.database = self.path / "box.db"
        self.blobs = self.path / "blobs" / "sha256"
        self.bundles = self.path / "bundles"
        self.finished = self.path / "finished"
        self.logs = self.path / "logs"
        self.run = self.path / "run"
        self.secrets, self.tls = self.path / "secrets", self.path / "tls"
        self.keys = _keys(self.path)
        with self._usable(), room_for(f"the box's home {self.path}"):
            self.disk.make_folder(self.path)
            exposed = ownership.claim_folder(self.path)
            if who := ownership.replaceable_by(self.path):
                _log.warning(
                    "%s could replace %s, and with it the code that runs here: choose another home with --home",
                    who,
                    self.path,
                )
            self._lock = self._locked()
            try:
                for folder in (self.blobs, self.bundles, self.finished, self.logs, self.run):
                    self.disk.make_folder(folder)
                for folder in (self.blobs.parent, self.blobs, self.bundles, self.finished, self.logs, self.run):
                    ownership.claim_folder(folder)
                self._take_database(exposed)
                self.token = self._token(exposed)
            except BaseException:
                self.close()
                raise

    @property
    def identity(self) -> str:
        """Return a text that identifies this home among all homes of the machine.

        It also differs from that of a home at the same path of a container.
        """
        found = self.path.stat()
        return f"{self.path} {found.st_dev} {found.st_ino}"

    def close(self) -> None:
        """Release the lock of the home, so that another box may open it."""
        os.close(self._lock)

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, NotADirectoryError) as error:
            place = error.filename or self.path
            raise HomeError(f"{place} is not a directory: choose another home with --home, or move it away") from error
        except OSError as error:  # not ours, read-only, knows no locks: all the same to who chose it
            raise HomeError(
                f"this user cannot use {self.path} ({error.strerror}): change its owner, or choose another home with "
                "--home"
            ) from error

    def _locked(self) -> int:
        path = self.path / "lock"
        ownership.claim_file(path)
        descriptor = self._flocked(path)
        if descriptor is None:  # a process of another user has it, which opened it when it was open to others
            descriptor = self._flocked(path)
        if descriptor is None or not os.path.samestat(os.fstat(descriptor), os.stat(path)):
            raise HomeError(
                f"another box started with {self.path} at the same moment: stop it, or start this one again"
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def _flocked(self, path: Path) -> int | None:
        """Return the lock's descriptor, or None where a stranger's process holds it.

        Raises HomeError when a box does.
        """
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            is_strangers = ownership.flocked_by_strangers(descriptor)
            if is_strangers and os.path.samestat(os.fstat(descriptor), os.stat(path)):
                path.unlink()
            os.close(descriptor)
            if is_strangers:
                return None
            raise HomeError(
                f"another box (pid {pid}) uses {self.path}: stop it, or choose another home with --home"
            ) from error
        return descriptor

    def _take_database(self, exposed: bool) -> None:
        """Close the database's files to others; replace them where another user has opened or locked one.

        They are closed by being replaced: where the disk is full or the box is killed before, the next start sees it.
        """
        paths = [self.path / name for name in _DATABASE_FILES]
        is_open = [ownership.claim_file(path, closing=False) for path in paths]
        if exposed or any(is_open) or any(map(ownership.held_by_strangers, paths)):
            for path in paths[:2]:
                ownership.renew(self.disk, path)
            self.disk.remove(paths[2])  # an index of the write-ahead log, which SQLite makes again

    def _token(self, exposed: bool) -> str:
        path = self.path / "token"
        if ownership.claim_file(path) and exposed:
            _log.warning("other users could read %s until now: delete it and restart the box for a new one", path)
        with contextlib.suppress(FileNotFoundError):
            token = path.read_text(encoding="ascii", errors="replace").strip()
            if len(token) >= _SHORTEST_TOKEN and token.isascii():
                return token
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        write_file(self.disk, path, f"{token}\n".encode())
        return token


def _keys(home: Path) -> Path:
    """Return the folder of keys beside a home, whichever link leads to the home.

    It is beside the link where it lies there already.
    """
    beside, real = (path.with_name(f"{path.name}-keys") for path in (home, home.resolve()))
    return beside if beside.exists() and not real.exists() else real
