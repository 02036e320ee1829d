"""A reader finds a class by its name."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = [ROOT / "edgefn", ROOT / "runtime" / "edgefn_runtime", ROOT / "cli" / "edgefn_cli"]
MODULES = [path for package in PACKAGES for path in sorted(package.rglob("*.py")) if "scaffolds" not in path.parts]


def test_no_two_public_classes_share_a_name() -> None:
    """Who reads a name in a trace or a signature knows which one it is."""
    homes = defaultdict(list)
    for path in MODULES:
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(ROOT)))
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}
