"""Code that functions share: tested, built, deployed and run on a real box, as docs/edgefn-toml.md tells authors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from edgefn_cli.boxes.local_box import LocalBox

    from .conftest import Edgefn

HANDLER = """from edgefn import edge_function
{imports}

@edge_function
def {name}(n: int) -> str:
    return {answer}
"""
TEXT = """from pathlib import Path

WORD = (Path(__file__).parent / "word.txt").read_text().strip()

def worded(n: int) -> str:
    return f"{WORD} {n}"
"""
TEST = "from greet import greet\n\ndef test_it() -> None:\n    assert greet(1) == 'hello 1'\n"


def share(root: Path) -> None:
    """Make a project with a shared package, a function that imports it through another one, and one that does not."""
    toml = '[project]\nname = "p"\npackages = ["common", "words"]\n'
    for name, imports, answer in (("greet", "from common.text import worded", "worded(n)"), ("count", "", "str(n)")):
        (root / "functions" / name).mkdir(parents=True)
        (root / "functions" / name / f"{name}.py").write_text(HANDLER.format(name=name, imports=imports, answer=answer))
        toml += f'[functions.{name}]\npath = "functions/{name}"\n'
    (root / "functions" / "greet" / "test_greet.py").write_text(TEST)
    (root / "edgefn.toml").write_text(toml)
    for package in ("common", "words"):
        (root / package).mkdir()
        (root / package / "__init__.py").touch()
    (root / "common" / "text.py").write_text("from words.said import worded\n")
    (root / "words" / "said.py").write_text(TEXT)
    (root / "words" / "word.txt").write_text("hello\n")


def test_a_change_of_shared_code_is_deployed_where_it_is_imported(
    edgefn: Edgefn, real_box: LocalBox, tmp_path: Path
) -> None:
    """On the box, in its sandbox, a function has what it imports, data too; the others are as they were."""
    share(tmp_path)
    first = {one["function"]: one for one in edgefn("deploy", "--json").json["deployed"]}
    assert edgefn("invoke", "greet", "--json", '{"n": 1}').stdout.strip() == b'"hello 1"'
    (tmp_path / "words" / "word.txt").write_text("good morning\n")
    second = {one["function"]: one for one in edgefn("deploy", "--json").json["deployed"]}
    assert edgefn("invoke", "greet", "--json", '{"n": 1}').stdout.strip() == b'"good morning 1"'
    assert second["greet"]["revision"] != first["greet"]["revision"]
    assert (second["count"]["revision"], second["count"]["uploaded_blobs"]) == (first["count"]["revision"], 0)
    assert edgefn("init", "functions/words", "--template", "plain").code == 2


@pytest.mark.parametrize("way", [pytest.param("python -m pytest", marks=pytest.mark.long), "pytest with pythonpath"])
def test_a_functions_own_tests_find_it(tmp_path: Path, way: str) -> None:
    """In both ways that the documents name."""
    share(tmp_path)
    module = ["-m", "pytest"] if way == "python -m pytest" else ["-P", "-m", "pytest"]
    if "pythonpath" in way:
        (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\n')
    command = [sys.executable, *module, "-q", "-p", "no:cacheprovider", "-p", "no:schemathesis", "functions/greet"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
