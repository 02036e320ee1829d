"""Run as a program: a plain user's child changes a folder all the time, while the box looks at it and takes it over.

python -m tests.runtime.store.restless FOLDER SECONDS
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from edgefn.errors import DeploymentRefused
from edgefn_runtime.store import harvest
from edgefn_runtime.store.disk import Disk, OsDisk
from tests.runtime import plainuser

BOUND = harvest.FolderBound(2**20, 64)
NAMES = [f"{outer}/{inner}" for outer in "abc" for inner in "xyz"] + list("abc")


def _change(folder: Path, draw: random.Random) -> None:
    path = folder / draw.choice(NAMES)
    changes: list[Callable[[], object]] = [
        lambda: os.makedirs(path),
        lambda: path.open("xb").write(b"x" * draw.randrange(5000)),
        lambda: path.open("xb").write(b"x"),
        lambda: os.symlink("/etc/passwd", path),
        lambda: os.mkfifo(path),
        lambda: os.chmod(path, draw.choice([0, 0o100, 0o200, 0o400, 0o700])),
        lambda: os.chmod(path, 0o700),
        lambda: os.rename(path, folder / draw.choice(NAMES)),
        lambda: os.unlink(path),
        lambda: os.rmdir(path),
    ]
    with contextlib.suppress(OSError):
        draw.choice(changes)()


def _clear(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
            _clear(path)
            path.rmdir()
        else:
            path.unlink()


def _change_for_ever(folder: Path, draw: random.Random) -> None:
    while True:
        for _ in range(draw.randrange(60)):
            _change(folder, draw)
        _clear(folder)


def _change_until_killed(folder: Path) -> int:
    child = os.fork()
    if not child:
        try:
            _change_for_ever(folder, random.Random(12))
        finally:
            os._exit(1)
    return child


def _looked(folder: Path, disk: Disk, place: Path) -> tuple[str, str]:
    found = harvest.over(folder, BOUND)
    try:
        harvest.take(disk, folder, place, BOUND, folder.with_name("originals"))
        taken = "taken"
    except DeploymentRefused as error:
        taken = "refused" if "refused the engine's files" in str(error) else str(error)
    disk.remove(place)
    return "looked at" if not found else "unfit", taken


def main(folder: Path, seconds: float) -> None:
    """Print how often each came out, and how many descriptors were left open."""
    if os.geteuid() == 0:
        folder.chmod(0o755)
        os.chown(folder, plainuser.PLAIN, plainuser.PLAIN)
        plainuser.become()
    restless = folder / "restless"
    restless.mkdir()
    disk, counts = OsDisk(), Counter[str]()
    before = len(os.listdir("/proc/self/fd"))
    child = _change_until_killed(restless)
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            counts.update(_looked(restless, disk, folder / "place"))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    print(json.dumps({"counts": counts, "left open": len(os.listdir("/proc/self/fd")) - before}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]))
