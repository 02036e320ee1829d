"""`edgefn init`: a folder that works as it is, and nothing that was there before is touched."""

from __future__ import annotations

import ast
import builtins
import importlib.util
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgefn import extras
from edgefn.errors import SpecError
from edgefn.project import Project
from edgefn.spec import NAME_PATTERN
from edgefn_cli.project import scaffold
from edgefn_cli.verbs.project import init

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


AWKWARD = (
    *("sharp", "blurred", "edges", "round", "float", "int", "dict", "super", "test_me", "test", "me_test"),
    *("score", "gray", "image", "n", "handler", "dataclass", "tensor", "call", "setup_module", "pytest_generate_tests"),
)
"""Names of the templates' own things, of built-in functions, and of what pytest collects or calls."""


@pytest.mark.parametrize("template", ["plain", pytest.param("model", marks=pytest.mark.needs_torch)])
def test_each_legal_name_passes_its_own_test(template: str, edgefn: Edgefn, tmp_path: Path) -> None:
    """All in one session, each in its folder: two tests a function, and all pass."""
    for name in AWKWARD:
        assert edgefn("init", f"functions/{name}", "--template", template).code == 0, name
    done = _test(tmp_path / "functions")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{2 * len(AWKWARD)} passed" in done.stdout


@given(name=st.one_of(st.sampled_from((*AWKWARD, *dir(builtins))), st.from_regex(NAME_PATTERN, fullmatch=True)))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_means_two_things_in_a_new_function(name: str, tmp_path: Path) -> None:
    """The function's name is read nowhere in its module once it is bound, and the test gives it another one."""
    with tempfile.TemporaryDirectory(dir=tmp_path) as parent:
        try:
            scaffold.check_name(name)
        except SpecError:
            return
        for kind in scaffold.Kind:
            folder = Path(parent) / kind / name
            scaffold.create(folder, kind)
            module = ast.parse((folder / f"{name}.py").read_text("utf-8"))
            bound = [node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
            assert bound.count(name) == 1
            inside = [one for node in module.body if isinstance(node, ast.FunctionDef) for one in ast.walk(node)]
            bodies = {
                id(one)
                for node in inside
                if isinstance(node, ast.FunctionDef)
                for line in node.body
                for one in ast.walk(line)
            }
            read = {one.id for one in inside if isinstance(one, ast.Name) and id(one) in bodies}
            assert name not in read - {one.arg for one in inside if isinstance(one, ast.arg)} - _stored(inside)
            test = ast.parse((folder / f"test_{name}.py").read_text("utf-8"))
            imported = [
                (one.name, one.asname) for line in test.body if isinstance(line, ast.ImportFrom) for one in line.names
            ]
            assert (name, "handler") in imported
            assert name not in {one.id for one in ast.walk(test) if isinstance(one, ast.Name)} - {"handler"} - _stored(
                ast.walk(test)
            )


def _stored(nodes: Iterable[ast.AST]) -> set[str]:
    """The local names that are assigned."""
    return {one.id for one in nodes if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def test_what_is_missing_for_the_next_step_is_said(
    edgefn: Edgefn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One command for all of it, before the steps that need it; nothing where it is all there."""
    there = edgefn("init", "complete").stderr
    assert there.rstrip().endswith("Next: pytest complete; edgefn dev complete")
    find_spec = importlib.util.find_spec
    hidden = {"torch", "uvicorn", "pytest"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in hidden else find_spec(name))
    monkeypatch.setattr(init, "find_spec", importlib.util.find_spec)
    wanted = extras.hint("runtime", "compile", beside=("pytest",))
    assert f"Next: {wanted}; pytest lacking; edgefn dev lacking" in edgefn("init", "lacking").stderr
    plain = extras.command("runtime", beside=("pytest",))
    assert f"Next: {plain}; pytest flat;" in edgefn("init", "flat", "--template", "plain").stderr


@pytest.mark.parametrize("name", ["google", "edgefn", "torch", "pytest", "conftest"])
def test_a_module_that_the_function_needs_is_not_hidden(name: str, edgefn: Edgefn) -> None:
    """Packages without an __init__ and those of the build and the test, too, installed or not."""
    if name == "google":
        pytest.importorskip("google.protobuf")
    assert edgefn("init", name).code == 2


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
