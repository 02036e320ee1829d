"""The documentation tells what is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from edgefn_runtime.artifacts.artifact_status import State
from edgefn_runtime.scheduling.lifecycle import FunctionState, InstanceState

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


def _slugs(page: Path) -> set[str]:
    """Return the fragments that a page's headings have, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_sections_lead_to_them(page: Path) -> None:
    """Every fragment is a heading of the page that it names, or of its own."""
    for link, fragment in re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8")):
        target = page.parent / link if link else page
        assert fragment in _slugs(target), f"{link}#{fragment}"


def test_each_document_is_behind_a_door() -> None:
    """docs/README.md leads to every page; README.md leads there."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(re.findall(r"\]\(([\w-]+\.md)", index))
    assert "](docs/README.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_each_decision_is_listed() -> None:
    """docs/decisions/README.md leads to every one, once."""
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"\]\(([\w-]+\.md)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(page.name for page in folder.glob("*.md") if page.name != "README.md")


def test_each_figure_has_its_run() -> None:
    """docs/figures.md: each section is a run with its command, its machine and its date."""
    page = (ROOT / "docs" / "figures.md").read_text(encoding="utf-8")
    runs = dict(
        re.findall(r"^\| \[[^]]+\]\(#([\w-]+)\) \| `.+?` ?.*? \| (.+) \| \d{4}-\d\d-\d\d, ", page, re.MULTILINE)
    )
    sections = _slugs(ROOT / "docs" / "figures.md") - {"figures"}
    assert set(runs) == sections
    machines = set(re.findall(r"^\| ([A-Z]) \| ", page, re.MULTILINE))
    assert {run[0] for run in runs.values() if re.match(r"[A-Z](?:;|$)", run)} <= machines


@pytest.mark.parametrize("page", [ROOT / "docs" / "ARCHITECTURE.md"], ids=["ARCHITECTURE.md"])
def test_the_architecture_names_files_that_exist(page: Path) -> None:
    """The map shows the rooms that are there."""
    roots = (ROOT, ROOT / "edgefn", ROOT / "runtime" / "edgefn_runtime")
    for name in re.findall(r"`((?:\w+/)*\w+\.(?:py|md|toml))`", page.read_text(encoding="utf-8")):
        assert any((root / name).exists() for root in roots), name


ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")


def test_the_architecture_shows_folders_that_exist() -> None:
    """Each folder of the map is there, below the one that it stands under; and each room of the packages is on it."""
    rooms = ARCHITECTURE.partition("    edgefn/  ")[2].partition("\n## ")[0]
    rooms = "    edgefn/  " + rooms
    places = {
        "edgefn": ROOT / "edgefn",
        "runtime": ROOT / "runtime" / "edgefn_runtime",
        "cli": ROOT / "cli" / "edgefn_cli",
    }
    shown: dict[str, set[str]] = {name: set() for name in places}
    package = ""
    for line in rooms.splitlines():
        if found := re.match(r"    (edgefn|runtime|cli)/", line):
            package = found[1]
        elif re.match(r"    \w", line):
            package = ""
        if package:
            shown[package] |= set(re.findall(r"(?<![\w/])(\w+)/(?![\w])", line))
    for package, place in places.items():
        there = {path.name for path in place.iterdir() if (path / "__init__.py").exists()}
        assert there <= shown[package] | {package}, package
        below = {path.parent.name for path in place.rglob("*.py")}
        assert shown[package] - {package, "edgefn_runtime", "edgefn_cli"} <= below, package


def test_the_architecture_counts_lines_that_are_so() -> None:
    """A request's way: the files that it names have as many lines as it says, to a tenth."""
    way = ARCHITECTURE.partition("## A request's way")[2].partition("\n## ")[0]
    (told,) = re.findall(r"some ([\d,]+) lines", way)
    roots = (ROOT, ROOT / "edgefn", ROOT / "runtime" / "edgefn_runtime")
    named = set(re.findall(r"`((?:\w+/)+\w+\.py)`", way))
    files = {root / name for name in named for root in roots if (root / name).exists()}
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)
    assert lines == pytest.approx(int(told.replace(",", "")), rel=0.1)


def test_the_architecture_draws_each_state() -> None:
    """Those of a function, an instance and an artifact, by their enums."""
    drawn = ARCHITECTURE.partition("## States")[2].partition("\n## ")[0]
    parts = dict(
        re.findall(r"^    (function|instance|template|artifact) +(.*?)(?=^$|\Z)", drawn, re.MULTILINE | re.DOTALL)
    )
    states: dict[str, list[str]] = {
        "function": list(FunctionState),
        "instance": list(InstanceState),
        "artifact": list(get_args(State)),
    }
    for kind, names in states.items():
        assert not [name for name in names if name not in parts[kind]], kind


def test_the_glossary_has_each_word_once_and_where_it_is() -> None:
    """One meaning a word; the module that the row names is there, and has the word."""
    page = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([\w -]+) \| .+ \| `([\w/]+\.py)` \|$", page, re.MULTILINE)
    words = [word for word, _ in rows]
    assert len(rows) == page.count("\n| ") - 2, "a row has another form"
    assert len(set(words)) == len(words) > 40
    for word, path in rows:
        assert word[:4] in path + (ROOT / path).read_text(encoding="utf-8").lower(), (word, path)
