"""A reader finds what he looks for by its name: classes, and the folders' maps."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = [ROOT / "edgefn", ROOT / "runtime" / "edgefn_runtime", ROOT / "cli" / "edgefn_cli"]
MODULES = [path for package in PACKAGES for path in sorted(package.rglob("*.py")) if "scaffolds" not in path.parts]
ROOMS = sorted({path.parent for path in MODULES})


def test_no_two_public_classes_share_a_name() -> None:
    """Who reads a name in a trace or a signature knows which one it is."""
    homes = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(ROOT)))
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_a_room_holds_a_few_modules_and_maps_them(room: Path) -> None:
    """15 modules at most; each, and each folder, is told of in the package's docstring."""
    modules = {path.stem for path in room.glob("*.py")} - {"__init__"}
    assert len(modules) <= 15, sorted(modules)
    rooms = {f"{path.name}/" for path in room.iterdir() if (path / "__init__.py").exists()}
    told = ast.get_docstring(ast.parse((room / "__init__.py").read_text("utf-8"))) or ""
    assert modules | rooms <= set(re.findall(r"\w+/?", told)), sorted(modules | rooms)
