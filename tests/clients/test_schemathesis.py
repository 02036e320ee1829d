"""schemathesis, unchanged, makes requests from /openapi.json: what the document allows is served, as it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.clients.catalogue import FUNCTIONS

if TYPE_CHECKING:
    from tests.e2e.box import RunningBox

ROOT = Path(__file__).parents[2]

NOT_CHECKED = ("unsupported_method", "allow_header_conformance", "negative_data_rejection")
"""The document has one way for each parameter and the box reads several (docs/decisions/openapi.md), GET with base64 in
the query among them. What it must refuse is tests/clients/test_documented.py's."""

PATHS = f"^/fn/({'|'.join(sorted(FUNCTIONS))})$"
"""The functions of the catalogue: other tests bring some to the same box that fail on purpose."""

UPSTREAM = r"^/fn/give_pair$"
"""schemathesis 4.32 turns a result's `prefixItems` into an `items` that is a list, and calls that an invalid schema."""


def run(box: RunningBox, folder: Path, *options: str) -> str:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{box.url}/openapi.json", "--no-color"]
    command += ["--include-path-regex", PATHS, "--exclude-path-regex", UPSTREAM, "--mode", "positive"]
    command += ["--exclude-checks", ",".join(NOT_CHECKED), "--seed", "1", *options]
    known = os.environ | {"SCHEMATHESIS_HOOKS": "tests.clients.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=known, timeout=300)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    return done.stdout


def test_every_boundary_of_every_function(kinds_box: RunningBox, tmp_path: Path) -> None:
    """Each limit, format and combination of members that the document has, once."""
    said = run(kinds_box, tmp_path, "--phases", "examples,coverage")
    tested = re.search(r"Tested: (\d+)", said)
    assert tested is not None, said
    assert int(tested[1]) >= len(FUNCTIONS) - 1


@pytest.mark.long
def test_whatever_the_document_allows(kinds_box: RunningBox, tmp_path: Path) -> None:
    """Random requests."""
    run(kinds_box, tmp_path, "--phases", "fuzzing", "--max-examples", "50")
