"""Every way out that was ever tried: as root, as a plain user and as one with sub-uids; with and without Landlock and
namespaces.

Each is out of reach, or the box says that the layer which would hold it is not enforced.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import programs
from tests.e2e.deadline import PATIENCE
from tests.runtime.plainuser import GIVEN

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="plays both users, so needs root")

CELLS = [(user, lacking) for user in ("root", "plain") for lacking in ("", "landlock", "namespaces")]
CELLS += [("subids", ""), ("subids", "landlock")]
OUT = {"EACCES", "EPERM", "ENOENT", "EROFS", "ESRCH"}
"""How a system call says that something is out of reach."""

HELD_BY = {
    "reads a file": ("own_root", "files"),
    "reads a key beside code": ("own_root", "files"),
    "reads shadow": ("own_root", "files", "own_user"),
    "lists private keys": ("own_root", "files", "own_user"),
    "lists a folder": ("own_root", "files"),
    "reads an environment": ("own_pids", "files"),
    "writes a file": ("own_root", "files"),
    "stats a file": ("own_root",),
    "reads a link": ("own_root",),
    "watches a folder": ("own_root",),
    "reads a command line": ("own_pids",),
    "sees a process": ("own_pids",),
    "sees a socket": ("namespaces",),
    "has a capability": ("own_root",),
}
"""The layers of which any one holds a try; what is not named is held everywhere, by closed system calls at least."""


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that a plain user comes to."""
    with tempfile.TemporaryDirectory(prefix="edgefn-breakout-") as folder:
        yield Path(folder)


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The box of `breakout.py`."""
    command = programs.command("tests.runtime.workers.breakout", str(folder), *arguments)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=programs.ROOT)


@pytest.mark.parametrize(("user", "lacking"), CELLS, ids=[f"{user}-no {lacking or 'lack'}" for user, lacking in CELLS])
def test_nothing_gets_out_that_is_not_told(public: Path, user: str, lacking: str) -> None:
    """Each try fails, or a layer that would hold it is reported as not enforced; as root with all layers 0 get out."""
    if user == "subids" and shutil.which("newuidmap") is None:
        pytest.skip("newuidmap is not there: apt-get install uidmap")
    with start(public, user, lacking) as box:
        said, trouble = box.communicate(timeout=90 * PATIENCE)
    found: dict[str, Any] = json.loads(said.splitlines()[-1]) if said else pytest.fail(trouble)
    enforced = {name for name, how in found["isolation"].items() if how is True}
    out = {name: how for name, how in found["ended"].items() if how not in OUT and not how.startswith("Assertion")}
    untold = {name: how for name, how in out.items() if enforced & set(HELD_BY.get(name, ("",)))}
    untold |= {name: how for name, how in out.items() if name not in HELD_BY}
    assert untold == {}
    assert found["harm"] == ""
    assert set(HELD_BY) <= set(found["ended"])
    if {"own_root", "own_pids", "system_calls"} <= enforced:
        assert out == {}
    if user == "subids":
        assert ("own_user" in enforced, int(found["user"]) in GIVEN) == (True, True), found["isolation"]


@pytest.mark.parametrize(("user", "lacking"), [("root", ""), ("plain", ""), ("plain", "namespaces"), ("subids", "")])
def test_what_a_handler_started_ends_with_a_killed_box(public: Path, user: str, lacking: str) -> None:
    """kill -9 of the box: a program in a session of its own, whose parents have ended, is gone soon after."""
    with start(public, user, lacking, "stay") as box:
        try:
            assert box.stdout is not None
            said = box.stdout.readline()
            assert said or box.stderr is None, box.stderr.read()
            eventually(lambda: len(sleepers(box.pid)) == 1, "the handler's program runs")
        finally:
            box.kill()
        eventually(lambda: not sleepers(box.pid), "it has ended")


def eventually(true: Callable[[], bool], what: str) -> None:
    """Waits for a condition; fails with `what` when it does not come."""
    deadline = time.monotonic() + 10 * PATIENCE
    while not true():
        assert time.monotonic() < deadline, f"not in 10 s: {what}"
        time.sleep(0.01)


def sleepers(box: int) -> list[int]:
    """The programs that the handler of that box has left behind."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if (entry / "cmdline").read_bytes() == f"sleep\0{box}.25\0".encode():
                found.append(int(entry.name))
    return found
