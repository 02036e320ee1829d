"""The documentation tells what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "functions").glob("*/README.md")]


def test_every_promise_names_tests_that_exist() -> None:
    """A promise without a test would be a wish."""
    specification = (ROOT / "docs" / "SPECIFICATION.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \d+ \|.*$", specification, re.MULTILINE)
    assert rows
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row)
        assert named, row
        for path, test in named:
            assert f"def {test}" in (ROOT / path).read_text(encoding="utf-8"), (path, test)


def test_what_holds_each_layer_exists() -> None:
    """docs/security.md names tests that are there."""
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", (ROOT / "docs" / "security.md").read_text(encoding="utf-8")))
    assert named
    assert not [path for path in named if not (ROOT / path).exists()]


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    """Every relative link of every page is a file."""
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", [ROOT / "docs" / "ARCHITECTURE.md"], ids=["ARCHITECTURE.md"])
def test_the_architecture_names_files_that_exist(page: Path) -> None:
    """The map shows the rooms that are there."""
    roots = (ROOT, ROOT / "edgefn", ROOT / "runtime" / "edgefn_runtime")
    for name in re.findall(r"`((?:\w+/)*\w+\.(?:py|md|toml))`", page.read_text(encoding="utf-8")):
        assert any((root / name).exists() for root in roots), name


def test_the_glossary_has_each_word_once_and_where_it_is() -> None:
    """One meaning a word; the module that the row names is there, and has the word."""
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w -]+) \| .+ \| `([\w/]+\.py)` \|$", page, re.MULTILINE)
    words = [word for word, _ in rows]
    assert len(rows) == page.count("\n| ") - 2, "a row has another form"
    assert len(set(words)) == len(words) > 40
    for word, path in rows:
        assert word[:4] in path + (ROOT / path).read_text(encoding="utf-8").lower(), (word, path)
