"""A box of a plain user with sub-uids: its functions have users of their own, as those of root's box have."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests import programs
from tests.e2e.box import RunningBox
from tests.e2e.bundles import Bundles
from tests.e2e.deadline import eventually
from tests.e2e.processes import kill9
from tests.runtime.plainuser import GIVEN, PLAIN

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="plays the user, so needs root"),
    pytest.mark.skipif(shutil.which("newuidmap") is None, reason="no newuidmap: apt-get install uidmap"),
    pytest.mark.timeout(120),
]


@pytest.fixture
def box() -> Iterator[RunningBox]:
    """The box, in a folder that the user comes to."""
    with tempfile.TemporaryDirectory(prefix="edgefn-subids-") as folder:
        before = programs.command("tests.runtime.plainuser", folder)
        with RunningBox(Path(folder) / "box", before=before, options=["--require-isolation"]) as running:
            yield running


def users(pid: int) -> set[int]:
    """The users of a process: real, effective, saved, of files."""
    return {int(number) for number in Path(f"/proc/{pid}/status").read_text().split("Uid:")[1].split()[:4]}


def test_each_function_has_a_user_of_its_own(box: RunningBox, bundles: Bundles) -> None:
    """Deployed, finished, called, killed, scaled to nothing, removed: each by its user, and nothing is left over."""
    assert users(box.pid) == {PLAIN}
    isolation = box.info().isolation
    assert [layer for layer in ("own_user", "own_root", "own_pids") if isolation[layer] is not True] == []
    found = set()
    for name in ("echo", "linear"):
        box.deploy(bundles.of(name))
    for name, asked in (("echo", {"n": 1}), ("linear", {"x": [1.0, 2.0, 3.0, 4.0]})):
        box.invoke(name, **asked).raise_for_status()
        status = box.status(name)
        (instance,) = status.instances
        (user,) = users(instance.pid)
        assert user in GIVEN
        found.add(user)
        kill9(instance.pid)
        assert box.invoke(name, **asked).status_code == 200
        box.stop_function(name)
        assert box.invoke(name, **asked).status_code == 200
        (again,) = users(box.status(name).instances[0].pid)
        assert again == user, "it keeps its user"
    assert len(found) == 2
    for name in ("echo", "linear"):
        assert box.admin("DELETE", f"functions/{name}").status_code == 204
    eventually("no process is theirs", lambda: not any(one.uids().real in found for one in psutil.process_iter()))
    assert {path.stat().st_uid for path in box.home.rglob("*") if not path.is_symlink()} == {PLAIN}
