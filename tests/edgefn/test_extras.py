"""Hints to install a part of edgefn: each can work."""

from __future__ import annotations

import ast
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn import extras

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
SOURCES = [path for folder in ("edgefn", "runtime", "cli") for path in sorted((ROOT / folder).rglob("*.py"))]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "functions").glob("*/README.md")]
WITHOUT_EDGEFN = ("edgefn/compile/author/missing.py", "edgefn/backends/pytorch/record.py")
"""Modules that name a package of others: what a function imports, and the PyTorch that made an artifact."""


def _texts(source: Path) -> Iterator[str]:
    """The string literals of a module that are no docstrings."""
    tree = ast.parse(source.read_text("utf-8"))
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield node.value


def test_one_module_writes_the_hint() -> None:
    """No other text of the code says `pip install` or names an extra: a hint is made by edgefn.extras."""
    found = {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.name != "extras.py" and any(re.search(r"pip install|edgefn\[", text) for text in _texts(path))
    }
    assert found - set(WITHOUT_EDGEFN) == set()


def test_each_hint_names_an_extra_that_exists() -> None:
    """In each call of `extras.hint` and `extras.command`, and in each MissingExtra."""
    pattern = re.compile(r"extras\.(?:hint|command)\(['\"](\w+)['\"]\)|MissingExtra\([^()]*, ['\"](\w+)['\"]\)")
    named = {one or other for path in SOURCES for one, other in pattern.findall(path.read_text("utf-8"))}
    assert {"cli", "compile", "runtime", "openvino", "mnn", "torch"} == named
    assert named <= set(PROJECT["optional-dependencies"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_page_says_where_pip_finds_edgefn(page: Path) -> None:
    """edgefn is on no index: who has none yet is told a folder or a file of it."""
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        for command in re.findall(r"pip install([^`]*)", line):
            asked = re.search(r"(?:^|[\s'])edgefn(?:\[([a-z,]+)\])?(?:['\s]|$)", command)
            if asked:
                assert "--find-links" in command, f"{page.name}:{number}: {line}"
                assert set(filter(None, (asked[1] or "").split(","))) <= set(PROJECT["optional-dependencies"])


def test_the_hint_is_of_the_pip_of_this_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`pip` where a shell would find this environment's, else the interpreter's by its path."""
    folder = Path(sys.executable).parent
    pip = tmp_path / "pip"
    monkeypatch.setattr(shutil, "which", lambda name: str(folder / name))
    assert extras.command("mnn") == "pip install 'edgefn[mnn]'"
    for found in (None, str(pip)):
        monkeypatch.setattr(shutil, "which", lambda name, found=found: found)
        assert extras.command("mnn") == f"{sys.executable} -m pip install 'edgefn[mnn]'"


def test_gigabytes_are_announced() -> None:
    """Whoever installs PyTorch knows before how large it is, and how it is small."""
    brings = {
        extra for extra, wanted in PROJECT["optional-dependencies"].items() if any("torch" in one for one in wanted)
    }
    assert brings == {extra for extra in PROJECT["optional-dependencies"] if "GB" in extras.hint(extra)}
