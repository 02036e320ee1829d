"""`edgefn init`: a folder that works as it is, and nothing that was there before is touched."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgefn.project import Project

if TYPE_CHECKING:
    from .conftest import Edgefn


def _test(folder: Path) -> subprocess.CompletedProcess[str]:
    """`pytest FOLDER`, as its README says."""
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(line, capture_output=True, text=True, env=environment, check=False, timeout=100)


def test_a_plain_function_passes_its_own_test(edgefn: Edgefn, tmp_path: Path) -> None:
    """As it is, with no edit."""
    assert edgefn("init", "functions/count_parts", "--template", "plain").code == 0
    done = _test(tmp_path / "functions" / "count_parts")
    assert done.returncode == 0, done.stdout + done.stderr
    assert Project.find(tmp_path).functions == {"count_parts": tmp_path / "functions" / "count_parts"}


@pytest.mark.needs_torch
def test_a_function_with_a_model_passes_its_own_test(edgefn: Edgefn, tmp_path: Path) -> None:
    """On eager PyTorch, with the samples that come with it."""
    result = edgefn("init", "sharpness", "--json")
    assert result.code == 0
    names = [Path(path).relative_to(tmp_path).as_posix() for path in result.json["files"]]
    assert names == [
        "sharpness/README.md",
        "sharpness/samples/blurred.png",
        "sharpness/samples/sharp.png",
        "sharpness/sharpness.py",
        "sharpness/test_sharpness.py",
    ]
    done = _test(tmp_path / "sharpness")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["9lives", "a-b", "Über", "class", "match", "json", "numpy", ".hidden", "x" * 64])
def test_a_name_that_cannot_work_is_refused(name: str, edgefn: Edgefn, tmp_path: Path) -> None:
    """Not a function's name, a word of Python, or a module that it would hide: code 2, and nothing is made."""
    assert edgefn("init", name).code == 2
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(edgefn: Edgefn, tmp_path: Path) -> None:
    """A folder, a file, a dangling link: each is left as it is, and edgefn.toml too."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    before = sorted(path.name for path in tmp_path.iterdir())
    for name in ("folder", "file", "link"):
        result = edgefn("init", name)
        assert result.code == 2
        assert "already exists" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_edgefn_toml_keeps_what_stands_there(edgefn: Edgefn, tmp_path: Path) -> None:
    """Comments, order and spelling are the author's; the entry comes at the end, relative to the file."""
    text = '# ours\n[project]\nname = "plant"  # of Ulm\n\n[boxes.line-3]\nurl = "http://10.0.0.3:8080"\n'
    (tmp_path / "edgefn.toml").write_text(text)
    assert edgefn("init", "parts/bolts", "-t", "plain").code == 0
    after = (tmp_path / "edgefn.toml").read_text()
    assert after.startswith(text)
    assert tomllib.loads(after)["functions"] == {"bolts": {"path": "parts/bolts"}}
    again = edgefn("init", "elsewhere/bolts")
    assert again.code == 2
    assert "already" in again.stderr


def test_an_edgefn_toml_of_another_form_is_not_broken(edgefn: Edgefn, tmp_path: Path) -> None:
    """Inline tables cannot be added to: the line to add is told, and neither file nor folder is made."""
    text = 'functions = { a = { path = "a" } }\n[project]\nname = "p"\n'
    (tmp_path / "edgefn.toml").write_text(text)
    result = edgefn("init", "bolts")
    assert result.code == 2
    assert 'bolts = { path = "bolts" }' in result.stderr
    assert (tmp_path / "edgefn.toml").read_text() == text
    assert not (tmp_path / "bolts").exists()


def test_a_place_that_cannot_be_written_is_one_line(edgefn: Edgefn, tmp_path: Path) -> None:
    """The path and the reason; edgefn.toml does not name what is not there."""
    (tmp_path / "file").write_text("")
    result = edgefn("init", "file/bolts", "-t", "plain")
    assert (result.code, len(result.stderr.splitlines())) == (2, 1)
    assert "file/bolts" in result.stderr
    assert not (tmp_path / "edgefn.toml").exists()
