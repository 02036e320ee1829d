"""A home is its owner's alone: nobody else's is taken, and nobody else reaches into it or holds it up."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgefn.bundle.oci.descriptors import Blob
from edgefn.errors import DiskFull, HomeError
from edgefn_runtime.store.database import Database
from edgefn_runtime.store.home import Home
from tests.runtime.store.faults import Fault, FaultyDisk, PowerCut

NOBODY = 65_534
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes another user's id")

HOLD = """
import fcntl, os, sys
uid, *paths = sys.argv[1:]
os.setgroups([])
os.setgid(int(uid))
os.setuid(int(uid))
held = [os.open(path, os.O_RDONLY) for path in paths]
for descriptor, path in zip(held, paths):
    if path.endswith("lock"):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    else:
        fcntl.lockf(descriptor, fcntl.LOCK_SH)
print("held", flush=True)
sys.stdin.read()
"""
"""As another user: a shared lock on every byte of each file, as any reader may take it, and a lock file's flock."""


@contextlib.contextmanager
def held(*paths: Path, uid: int = NOBODY) -> Iterator[None]:
    """A process of another user has opened and locked the files."""
    command = [sys.executable, "-I", "-c", HOLD, str(uid), *map(str, paths)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        try:
            assert holder.stdout.readline() == b"held\n"
            yield
        finally:
            holder.stdin.close()


def opened(path: Path) -> Home:
    """A home that has a database with something in it, closed properly."""
    home = Home(path)
    database = Database(home.database)
    database.deploy("greet", "sha256:a", b"{}", (Blob("sha256:m", 1),))
    database.close()
    return home


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user may enter; those of pytest are this one's alone."""
    with tempfile.TemporaryDirectory(prefix="edgefn-test-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def wide(reachable: Path) -> Path:
    """A home as careless copying restores it: everything for everybody."""
    path = reachable / "home"
    opened(path).close()
    path.chmod(0o755)
    for one in path.rglob("*"):
        one.chmod(0o777 if one.is_dir() else 0o666)
    (path / "box.db").chmod(0o644)
    return path


def modes(path: Path) -> dict[str, int]:
    return {str(one.relative_to(path)): one.stat().st_mode & 0o777 for one in [path, *path.iterdir()]}


def test_everything_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """Folders 0700 and files 0600, the database too, whatever the umask is."""
    before = os.umask(0)
    try:
        home = opened(tmp_path / "home")
        database = Database(home.database)
        database.grant("greet", "network", "", "token")
        found = modes(home.path)
        database.close()
        home.close()
    finally:
        os.umask(before)
    assert found.pop(".") == 0o700
    assert {name for name, mode in found.items() if mode not in (0o700, 0o600)} == set()
    assert {"box.db", "box.db-wal", "box.db-shm", "token", "lock"} <= found.keys()


def test_a_wide_home_is_closed(wide: Path) -> None:
    """What a restored home opened to others is its owner's again, with all that was in it."""
    home = Home(wide)
    database = Database(home.database)
    assert database.names() == ["greet"]
    assert all(mode in (0o700, 0o600) for mode in modes(wide).values()), modes(wide)
    database.close()
    home.close()


@pytest.mark.parametrize("fault", ["full", "cut before", "cut after"])
def test_a_wide_database_is_replaced_at_whatever_operation_the_first_start_ended(wide: Path, fault: Fault) -> None:
    """The next start does it: a file that others may have open is not the one that the box goes on with."""
    for at in range(1, 40):
        path, disk = wide.with_name(f"{at}-{fault}"), FaultyDisk()
        shutil.copytree(wide, path)
        path.chmod(0o755)
        with (path / "box.db").open("rb") as theirs:
            disk.arm(at, fault)
            try:
                Home(path, disk).close()
            except (PowerCut, DiskFull):
                Home(path).close()
            assert not os.path.samestat(os.fstat(theirs.fileno()), os.stat(path / "box.db"))
        assert (path / "box.db").stat().st_mode & 0o777 == 0o600
        if len(disk.operations) < at:
            return
    pytest.fail("a start takes more than 40 operations")


@as_root
def test_locks_that_others_took_while_it_was_wide_hold_up_nothing(wide: Path) -> None:
    """Neither the lock file nor a byte of the database, though the other process has them open and lives on."""
    keeper = sqlite3.connect(wide / "box.db")  # so that there is a write-ahead log to be locked as well
    keeper.execute("PRAGMA journal_mode = WAL")
    keeper.execute("UPDATE routes SET last_number = 5")
    keeper.commit()
    for name in ("box.db-wal", "box.db-shm"):
        (wide / name).chmod(0o666)
    with held(*(wide / name for name in ("lock", "box.db", "box.db-wal", "box.db-shm"))):
        keeper.close()
        began = time.monotonic()
        home = Home(wide)
        database = Database(home.database)
        database.grant("greet", "network", "", "token")
        assert database.next_number("greet") == 6
        assert time.monotonic() - began < 5, "SQLite waits for ten seconds"
        database.close()
        home.close()


@as_root
def test_a_lock_on_a_home_that_was_closed_meanwhile_holds_up_nothing(wide: Path) -> None:
    """Somebody narrows the modes by hand, too late: the lock is seen, and is of another user."""
    with held(wide / "lock", wide / "box.db"):
        wide.chmod(0o700)
        for name in ("lock", "box.db", "token"):
            (wide / name).chmod(0o600)
        home = Home(wide)
        database = Database(home.database)
        database.grant("greet", "network", "", "token")
        database.close()
        with pytest.raises(HomeError, match="another box"):
            Home(wide)
        home.close()


@as_root
def test_nobody_else_can_open_or_lock_anything(reachable: Path) -> None:
    """Of a home as the box makes it, another user opens no file at all."""
    path = reachable / "home"
    home = opened(path)
    tried = "import os, sys\nos.setuid(65534)\n" + "\n".join(
        f"try:\n    os.open({str(path / name)!r}, os.O_RDONLY)\nexcept PermissionError:\n    print('refused')"
        for name in ("lock", "box.db", "token", "logs")
    )
    done = subprocess.run([sys.executable, "-I", "-c", tried], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["refused"] * 4, done.stdout + done.stderr
    home.close()


@as_root
@pytest.mark.parametrize("name", [".", "token", "lock", "box.db", "blobs/sha256", "bundles", "logs"])
def test_what_belongs_to_another_user_is_refused(tmp_path: Path, name: str) -> None:
    """The home, and each thing in it that the box relies on: the message says whose it is and what to do."""
    opened(tmp_path / "home").close()
    os.chown(tmp_path / "home" / name, NOBODY, NOBODY)
    with pytest.raises(
        HomeError, match=r"belongs to \w+ and this box runs as \w+: run the box as .* or choose another home"
    ):
        Home(tmp_path / "home")
    os.chown(tmp_path / "home" / name, 0, 0)
    Home(tmp_path / "home").close()


@as_root
def test_a_home_in_a_folder_of_others_is_told(reachable: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Who owns or writes a folder above it could replace it: a warning says so. /tmp is sticky and fine."""
    opened(reachable / "a" / "home").close()
    assert caplog.messages == []
    (reachable / "a").chmod(0o777)
    opened(reachable / "a" / "home").close()
    os.chown(reachable / "a", NOBODY, NOBODY)
    opened(reachable / "a" / "home").close()
    everybody, owner = caplog.messages
    assert everybody.startswith(f"everybody, as {reachable}/a is for them to write, could replace {reachable}/a/home")
    assert owner.startswith(f"user nobody, who owns {reachable}/a, could replace")


def _link(path: Path) -> None:
    path.symlink_to("/etc/hostname")


@pytest.mark.parametrize("make", [_link, os.mkfifo, os.mkdir], ids=["link", "pipe", "folder"])
@pytest.mark.parametrize("name", ["token", "lock", "box.db"])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    """No link is followed, no pipe waited for."""
    home = opened(tmp_path / "home")
    home.close()
    (home.path / name).unlink()
    make(home.path / name)
    with pytest.raises(HomeError, match="is not a file"):
        Home(home.path)


def test_a_lock_of_the_same_user_is_waited_for(tmp_path: Path) -> None:
    """An operator who looks into the database with SQLite's own shell works on the same file as the box."""
    home = opened(tmp_path / "home")
    home.close()
    before = home.database.stat().st_ino
    with held(home.database, uid=os.geteuid()) if os.geteuid() == 0 else contextlib.nullcontext():
        Home(home.path).close()
    assert home.database.stat().st_ino == before


def test_no_flock_of_ours_is_taken_for_a_strangers(tmp_path: Path) -> None:
    """The live box's lock is respected, also by a box of another process of the same user."""
    home = Home(tmp_path / "home")
    with pytest.raises(HomeError, match=rf"pid {os.getpid()}\) uses .*: stop it"):
        Home(tmp_path / "home")
    with open(home.path / "lock", "rb") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    home.close()
