"""`edgefn-box token | info | files | --version`: with the runtime extra alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edgefn import errors
from edgefn.api.boxes import BoxInfo
from edgefn.api.problems import Problem, error_of
from edgefn_runtime.command import VERBS, shipped, texts
from tests.e2e.box import RunningBox

ROOT = Path(__file__).parents[3]
WITHOUT_CLI = """
import sys
for name in ("typer", "httpx", "rich", "watchfiles", "edgefn_cli", "click"):
    sys.modules[name] = None
from edgefn_runtime.__main__ import main
main()
"""

Run = Callable[..., subprocess.CompletedProcess[str]]


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """`edgefn-box ARGUMENTS` where the cli extra is missing."""
    line = [sys.executable, "-c", WITHOUT_CLI, *map(str, arguments)]
    return subprocess.run(
        line, capture_output=True, text=True, check=False, timeout=60, env=os.environ | environment, cwd="/"
    )


def test_a_box_is_looked_after_without_the_cli_extra(box: RunningBox) -> None:
    """Its facts, its first token, and a named one from its making to its end: the same answers as over HTTP."""
    home = ("--home", box.home)
    about = json.loads(run("info", *home, "--json").stdout)
    assert (about["pid"], about["home"]) == (box.pid, str(box.home))
    shown = run("info", EDGEFN_HOME=str(box.home)).stdout
    assert f"pid                {box.pid}" in shown
    assert json.loads(run("token", *home, "--json").stdout)["token"] == run("token", *home).stdout.strip() == box.token

    made = run("token", "create", "laptop", "--scope", "status", "--scope", "invoke:*", "--rate", "2", *home)
    assert box.http.get("/admin/box", headers={"authorization": f"Bearer {made.stdout.strip()}"}).status_code == 200
    assert "laptop  invoke:* status  2/s" in run("token", "list", *home).stdout
    rotated = json.loads(run("token", "rotate", "laptop", *home, "--json").stdout)
    assert rotated["token"] != made.stdout.strip()
    assert run("token", "revoke", "laptop", *home).returncode == 0
    gone = run("token", "rotate", "laptop", *home)
    assert (gone.returncode, gone.stderr.count("\n")) == (errors.TokenNotFound.exit_code, 1)
    assert "laptop" in gone.stderr


def test_where_no_box_runs(tmp_path: Path) -> None:
    """One line with the next step, and the exit code of its class: no box, no token, a wrong command line."""
    for arguments, code in ((("info",), 5), (("token",), 7), (("token", "list"), 5)):
        done = run(*arguments, "--home", tmp_path)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (code, "", 1)
        assert "--home" in done.stderr
    assert run("token", "create", "x", "--home", tmp_path).returncode == 2


def test_version_and_help() -> None:
    """--help names each verb; --version is the distribution's; neither starts a box."""
    from importlib.metadata import version

    assert run("--version").stdout == f"edgefn {version('edgefn')}\n"
    told = run("--help").stdout
    assert all(f"  {verb}" in told for verb in VERBS)


def test_the_shipped_files_are_the_repositorys(tmp_path: Path) -> None:
    """Units, lock and pages, as they are written; what is there already is not written over."""
    copied = {str(path.relative_to(tmp_path)): path.read_bytes() for path in shipped.copy(tmp_path)}
    pages = {f"docs/{name}": (ROOT / "docs" / name).read_bytes() for name in shipped.PAGES}
    units = {f"systemd/{path.name}": path.read_bytes() for path in (ROOT / "deploy" / "systemd").iterdir()}
    assert copied == pages | units | {"requirements.txt": (ROOT / "deploy" / "requirements.txt").read_bytes()}
    assert shipped.copy(tmp_path)
    (tmp_path / "requirements.txt").write_text("mine")
    with pytest.raises(errors.SpecError, match=r"requirements\.txt is there already"):
        shipped.copy(tmp_path)
    assert (tmp_path / "requirements.txt").read_text() == "mine"


def test_an_answer_that_is_no_boxs_is_no_trace() -> None:
    """What an error says is the box's detail; an unknown class leaves with 1."""
    assert error_of(Problem(error="Nothing", title="Not Found")).exit_code == 1
    assert error_of(Problem(error="HomeError", detail="no home")).exit_code == 10
    assert str(error_of(Problem())) == "the box gave no reason"


def test_refused_artifacts_are_told() -> None:
    """Those of deployed functions, each with its reason; the targets' are in the JSON."""
    why = {"artifact": "net a/fp32", "needs": "an NPU", "has": "none", "fix": "buy one"}
    told = {"name": "here", "refused": [{"function": "f", **why}], "targets": {"refused": [why]}}
    shown = list(texts.about(msgspec.convert(told, BoxInfo), told))
    assert shown[-1] == "not for this box: f: net a/fp32 needs an NPU, here is none: buy one"
    assert len(shown) == 3
