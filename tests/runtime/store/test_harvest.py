"""What a confined child wrote is looked at and taken over whatever it does to it meanwhile."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from edgefn.errors import DeploymentRefused
from edgefn_runtime.store import harvest
from edgefn_runtime.store.disk import OsDisk
from tests import programs

SECONDS = 4


def test_a_folder_that_changes_under_the_walk_is_taken_or_refused() -> None:
    """Modes, links, pipes, names that go: a look ends in words, a take in a copy or a refusal."""
    with tempfile.TemporaryDirectory(prefix="edgefn-test-", dir="/tmp") as folder:
        command = programs.command("tests.runtime.store.restless", folder, str(SECONDS))
        done = subprocess.run(command, cwd=programs.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["left open"] == 0
    assert set(found["counts"]) == {"looked at", "unfit", "taken", "refused"}, found


@pytest.mark.parametrize("kind", ["link", "pipe", "twin"])
def test_only_regular_files_are_taken(tmp_path: Path, kind: str) -> None:
    """A link, a pipe and a second name of another file are refused by name."""
    folder, outside = tmp_path / "made", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("secret")
    path = folder / "model.bin"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        (path.symlink_to if kind == "link" else path.hardlink_to)(outside)
    with pytest.raises(DeploymentRefused, match=r"refused the engine's files: 'model\.bin' is a link"):
        harvest.take(OsDisk(), folder, tmp_path / "place", harvest.FolderBound(2**20, 8), tmp_path / "originals")
