"""The box's home directory: made, locked by one live box, and known by name. Owns the token and the lock.

    token               the admin API's bearer token, mode 0600
    lock                flock(2) by the live box, its pid inside
    box.db              see database.py
    blobs/sha256/       see blobs.py
    bundles/<hex>/      unpacked bundles, by manifest digest; one that is there is complete
    finished/<fp>/<hex>/  artifacts finished for this very machine; a cache
    logs/ run/          the functions' logs; where the live box says how to reach it

Never reads what the others keep here.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from edgefn.errors import HomeError
from edgefn_runtime.store.disk import Disk, OsDisk, room_for, write_file

_TOKEN_BYTES = 32
_SHORTEST_TOKEN = 32
"""Characters; a shorter one in the file was torn or typed, and would be a weak lock."""


class Home:
    """An open home: there, writable, and no other box opens it before `close`. Raises HomeError."""

    def __init__(self, path: Path, disk: Disk | None = None) -> None:
        self.path = path.absolute()
        self.disk = disk or OsDisk()
        self.database = self.path / "box.db"
        self.blobs = self.path / "blobs" / "sha256"
        self.bundles = self.path / "bundles"
        self.finished = self.path / "finished"
        self.logs = self.path / "logs"
        self.run = self.path / "run"
        with self._usable(), room_for(f"the box's home {self.path}"):
            self.disk.make_folder(self.path)
            self._lock = self._locked()
            try:
                for folder in (self.blobs, self.bundles, self.finished, self.logs, self.run):
                    self.disk.make_folder(folder)
                self.token = self._token()
            except BaseException:
                self.close()
                raise

    def close(self) -> None:
        """Another box may open this home."""
        os.close(self._lock)

    @contextlib.contextmanager
    def _usable(self) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, NotADirectoryError) as error:
            raise HomeError(f"{self.path} is not a directory: give another with --home") from error
        except OSError as error:  # not ours, read-only, knows no locks: all the same to who chose it
            raise HomeError(
                f"{self.path} cannot be used by this user ({error.strerror}): "
                "change its owner, or give another with --home"
            ) from error

    def _locked(self) -> int:
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            pid = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise HomeError(
                f"{self.path} is in use by another box (pid {pid}): stop it, or give another with --home"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        return descriptor

    def _token(self) -> str:
        path = self.path / "token"
        with contextlib.suppress(FileNotFoundError):
            path.chmod(0o600)  # a copied or restored home may have opened it to others
            token = path.read_text(encoding="ascii", errors="replace").strip()
            if len(token) >= _SHORTEST_TOKEN and token.isascii():
                return token
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        write_file(self.disk, path, f"{token}\n".encode())
        return token
