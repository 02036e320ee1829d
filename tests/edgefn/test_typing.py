"""Decorated functions keep their exact types for mypy and for pyright."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "typing"
EXPECTED_ERRORS = 21


def test_every_negative_line_names_both_errors() -> None:
    """The count holds both checkers to the same lines."""
    lines = [line for line in (FOLDER / "negative.py").read_text().splitlines() if "# type: ignore[" in line]
    assert len(lines) == EXPECTED_ERRORS
    assert all("# pyright: ignore[" in line for line in lines)


def test_mypy_agrees(pytestconfig: pytest.Config, tmp_path: Path) -> None:
    """Strict mypy accepts the one file and finds each error of the other, no more."""
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed here")
    cache = pytestconfig.cache.mkdir("mypy") if pytestconfig.cache else tmp_path
    command = [sys.executable, "-m", "mypy", f"--config-file={FOLDER}/mypy.ini", f"--cache-dir={cache}"]
    files = [FOLDER / "positive.py", FOLDER / "negative.py"]
    done = subprocess.run([*command, *files], capture_output=True, text=True, timeout=110, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 source files" in done.stdout


def test_pyright_agrees() -> None:
    """As mypy does; strict, with its own comments only."""
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed here")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "--outputjson", "-p", str(FOLDER)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    start = done.stdout.find("{")
    if start < 0:
        pytest.skip(f"pyright's node does not start here: {(done.stderr or done.stdout).strip()[-200:]}")
    report = json.loads(done.stdout[start:])
    found = [f"{d['file']}:{d['range']['start']['line'] + 1} {d['message']}" for d in report["generalDiagnostics"]]
    assert found == []
    assert report["summary"]["filesAnalyzed"] >= 2
