"""What is run at build, and for a local box, finds none of the command's own variables: a token may be among them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edgefn_cli.environment import without_tokens
from edgefn_cli.project.compiler import Compiler

SECRET = {"EDGEFN_TOKEN": "secret", "EDGEFN_BOX": "https://box.example", "EDGEFN_HOME": "/home/of/a/box"}
NOSY = """
import os
found = sorted(name for name in os.environ if name.startswith("EDGEFN_"))
raise SystemExit(f"found {found} and {sorted(value for value in os.environ.values() if 'secret' in value)}")
"""


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRET.items():
        monkeypatch.setenv(name, value)


def test_children_get_the_rest_of_the_environment() -> None:
    """A proxy, a path, a cache: what has nothing to do with boxes stays."""
    left = without_tokens()
    assert not [name for name in left if name.startswith("EDGEFN_")]
    assert left == {name: value for name, value in os.environ.items() if name in left}
    assert {"PATH", "HOME"} <= left.keys()


def test_the_build_child_finds_no_token(tmp_path: Path) -> None:
    """A function's own code, which is imported by the build, looks for it in vain."""
    folder = tmp_path / "nosy"
    folder.mkdir()
    (folder / "nosy.py").write_text(NOSY)
    with Compiler.begin([str(folder), "--output", str(tmp_path / "layout")]) as child:
        told = json.dumps([*child.events()]) + child.last_words()
        child.code()
    assert "found [] and []" in told, told


def test_the_compiler_by_itself_passes_none_on(tmp_path: Path) -> None:
    """Without the command, too: `python -m edgefn.compile` takes them out before it imports a function."""
    folder = tmp_path / "nosy"
    folder.mkdir()
    (folder / "nosy.py").write_text(NOSY)
    line = [sys.executable, "-m", "edgefn.compile", str(folder), "--output", str(tmp_path / "layout")]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert "found [] and []" in done.stdout + done.stderr, done.stdout + done.stderr
