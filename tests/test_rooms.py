"""A reader finds his way by the folders: each is small and mapped, none stands on another that stands on it."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

import grimp
import pytest

from tests.test_names import MODULES, ROOT

ROOMS = sorted({path.parent for path in MODULES})
PURE = re.compile(r"^(?:.*[.:;] )?pure\b(?![^.]*\b(?:but|except)\b)", re.IGNORECASE | re.MULTILINE)
"""In a module's docstring: it calls itself pure, with no exception."""


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_holds_a_few_modules_and_maps_them(room: Path) -> None:
    """15 modules at most; each, and each folder, is told of in the package's docstring."""
    modules = {path.stem for path in room.glob("*.py")} - {"__init__"}
    assert len(modules) <= 15, sorted(modules)
    rooms = {f"{path.name}/" for path in room.iterdir() if (path / "__init__.py").exists()}
    told = _docstring(room / "__init__.py")
    assert modules | rooms <= set(re.findall(r"\w+/?", told)), sorted(modules | rooms)


def test_what_calls_itself_pure_is_held_to_it() -> None:
    """The contract of import-linter lists the modules whose docstrings say that they are pure, and no others."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (listed,) = [one["source_modules"] for one in contracts if one["name"].startswith("what calls itself pure")]
    claimed = [_name(path) for path in MODULES if PURE.search(_docstring(path))]
    assert sorted(listed) == sorted(claimed)


def test_no_circle_of_imports_joins_files_of_different_folders() -> None:
    """Files that import each other, directly or by way of others, lie in one folder."""
    graph = grimp.build_graph("edgefn", "edgefn_runtime", "edgefn_cli", cache_dir=None)
    imported = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert [circle for circle in _circles(imported) if len({one.rpartition(".")[0] for one in circle}) > 1] == []


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts if parts[0] == "edgefn" else parts[1:]).removesuffix(".__init__")


def _circles(edges: Mapping[str, Set[str]]) -> Iterator[set[str]]:
    """The sets of nodes that reach each other (the strongly connected components of more than one node)."""
    reached = {node: _reached(node, edges) for node in edges}
    seen: set[str] = set()
    for node in sorted(edges):
        circle = {other for other in reached[node] if node in reached[other]}
        if len(circle) > 1 and node not in seen:
            seen |= circle
            yield circle


def _reached(node: str, edges: Mapping[str, Set[str]]) -> set[str]:
    found, left = {node}, [node]
    while left:
        for other in edges.get(left.pop(), ()):
            if other not in found:
                found.add(other)
                left.append(other)
    return found
