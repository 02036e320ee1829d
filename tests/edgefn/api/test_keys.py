"""Whoever reads the admin API's JSON reads attributes: no member of it is looked up by a text."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CLI, RUNTIME = ROOT / "cli" / "edgefn_cli", ROOT / "runtime" / "edgefn_runtime"
OF_THE_BUILD = {CLI / "display" / name for name in ("progress.py", "refusal.py", "report.py", "traces.py")}
"""They show the events of a build on this machine, and traces."""

READERS = [
    *(path for path in sorted(CLI.rglob("*.py")) if "project" not in path.parts and path not in OF_THE_BUILD),
    *sorted((RUNTIME / "telemetry").glob("*.py")),
    *sorted((RUNTIME / "gateway" / "api").glob("*.py")),
    *sorted((RUNTIME / "command").glob("*.py")),
    ROOT / "tests" / "e2e" / "box.py",
]
OTHERS = re.compile(r"(?:headers|environ|params|query|options|body|scope|message|await receive\(\)|http)$")
"""What has texts as keys by right: headers, queries and clients of HTTP, messages of ASGI, the environment, options."""


def _looked_up(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            of, key = node.value, node.slice
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop"):
            of, key = node.func.value, node.args[0] if node.args else node
        else:
            continue
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and not OTHERS.search(ast.unparse(of)):
            yield ast.unparse(node)


@pytest.mark.parametrize("path", READERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_member_is_looked_up_by_a_text(path: Path) -> None:
    """A name that is misspelt, or is gone, is found by mypy."""
    assert list(_looked_up(ast.parse(path.read_text("utf-8")))) == []


def test_the_scan_finds_what_it_looks_for() -> None:
    """Each way to look a member up, and none of those that are not JSON's."""
    found = _looked_up(ast.parse("a['state'] + b.get('state', 1) + c.pop('x') + d.headers.get('x') + e[0] + f(g['y'])"))
    assert sorted(found) == ["a['state']", "b.get('state', 1)", "c.pop('x')", "g['y']"]
