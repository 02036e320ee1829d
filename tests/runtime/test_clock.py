"""A clock that jumps, forward or back, moves no deadline: what decides and acts knows only the monotonic clock."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgefn_runtime

PACKAGE = Path(edgefn_runtime.__path__[0])
ROOMS = ("artifacts", "cgroups", "child", "deployment", "gateway", "memory", "pool", "scheduling", "wire", "workers")
SOURCES = [PACKAGE / "supervisor.py", *(path for room in ROOMS for path in sorted((PACKAGE / room).rglob("*.py")))]
WALL_CLOCKS = {
    *("time.time", "time.time_ns", "time.localtime", "time.gmtime"),
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
}


def names(source: Path) -> Iterator[str]:
    """Everything that is named `a.b` or imported as `b` from `a` in a module."""
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name | ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
            yield f"{owner}.{node.attr}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: str(source.relative_to(PACKAGE)))
def test_nothing_is_timed_by_the_wall_clock(source: Path) -> None:
    """No module of the rooms that decide, serve and supervise reads the time of day."""
    assert WALL_CLOCKS.isdisjoint(names(source))


def test_the_rooms_are_there() -> None:
    """The test above looks at something, and would see a call."""
    assert all(len(list((PACKAGE / room).rglob("*.py"))) > 3 for room in ROOMS)
    assert "time.monotonic" in set(names(PACKAGE / "box.py"))
