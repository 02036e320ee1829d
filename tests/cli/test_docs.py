"""docs/cli.md has every verb, option, variable and exit code, and no document one that is not there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edgefn import errors
from edgefn.errors import EdgefnError
from edgefn_cli.app import command
from edgefn_cli.display import failures

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (edgefn [a-z ]+)\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def _verbs(group: Any = command, path: str = "edgefn") -> Iterator[tuple[str, Any]]:
    for name, found in group.commands.items():
        if hasattr(found, "commands"):
            yield from _verbs(found, f"{path} {name}")
        if not hasattr(found, "commands") or found.invoke_without_command:
            yield f"{path} {name}", found


VERBS = dict(_verbs())


def _options(verb: Any) -> set[str]:
    return {spelling for each in verb.params if each.param_type_name == "option" for spelling in each.opts} - {
        "--help",
        "-h",
    }


def _told(text: str) -> set[str]:
    """The options in the first column of a table."""
    cells = re.findall(r"^\| ((?:`-[^|]*`(?:, )?)+) \|", text, re.MULTILINE)
    return {option for cell in cells for option in re.findall(r"`(--?[a-zA-Z][\w-]*)`", cell)}


def test_each_verb_has_a_section_and_a_line_in_the_list() -> None:
    """The page and the program know the same verbs."""
    assert set(SECTIONS) == set(VERBS)
    for path in VERBS:
        assert f"| [`{path}`](#{path.replace(' ', '-')}) |" in PAGE


@pytest.mark.parametrize("path", VERBS)
def test_each_option_is_told_and_exists(path: str) -> None:
    """The table of a verb lists its options, long and short, and nothing else."""
    expected = _options(VERBS[path])
    if path == "edgefn box check":  # "It takes the options of `edgefn box run`"
        expected -= _options(VERBS["edgefn box run"]) - {"--json"}
    assert _told(SECTIONS[path]) == expected


def test_the_options_before_the_verb_are_told() -> None:
    """--version, --debug and what typer adds."""
    before = PAGE.split("## Which box")[0]
    assert _told(before) == _options(command) | {"--help", "-h"}


@pytest.mark.parametrize("path", VERBS)
def test_each_verb_takes_json_and_explains_itself(path: str) -> None:
    """--json on all, and help with an example for each."""
    verb = VERBS[path]
    assert "--json" in _options(verb)
    assert f"Example: {path}" in verb.help or f"Example: ssh line-3 {path}" in verb.help
    assert all(each.help for each in verb.params if each.param_type_name == "option"), path


@pytest.mark.parametrize("path", [path for path, verb in VERBS.items() if "--box" in _options(verb)])
def test_the_box_is_found_the_same_way_everywhere(path: str) -> None:
    """--box has its variable in each verb."""
    (box,) = [each for each in VERBS[path].params if "--box" in each.opts]
    assert box.envvar == "EDGEFN_BOX"


def test_each_error_stands_beside_its_exit_code() -> None:
    """Every class of edgefn.errors, and the command's own, in the row of its code."""
    table = PAGE.split("## Exit codes")[1].split("\n## ")[0]
    rows = {int(match[1]): match[0] for match in re.finditer(r"^\| (\d+) \|.*$", table, re.MULTILINE)}
    classes = [
        cls
        for module in (errors, failures)
        for _, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, EdgefnError)
    ]
    for cls in classes:
        assert f"`{cls.__name__}`" in rows[cls.exit_code], cls
    assert {0, 1, 2, 130} <= set(rows)
    assert {name for name in re.findall(r"`([A-Z]\w+)`", table) if name != "EX_TEMPFAIL"} == {
        cls.__name__ for cls in classes
    }


def test_each_variable_is_told() -> None:
    """What the options read from the environment, and what the command reads itself."""
    read = {str(each.envvar) for verb in VERBS.values() for each in verb.params if getattr(each, "envvar", None)}
    for name in read | {failures.DEBUG, "EDGEFN_TOKEN", "EDGEFN_INSECURE", "XDG_CONFIG_HOME", "NO_COLOR"}:
        assert f"`{name}`" in PAGE


def _lines() -> Iterator[tuple[str, list[str]]]:
    """Yield each command line of the documents that stands in a block of its own, by page."""
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for line in re.findall(r"^(?: {4}|\$ )(edgefn .*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            words = line.partition(" #")[0].partition(" |")[0].removesuffix(" &").split()
            if not any(mark in line for mark in ("[", "…", "...", "→")):  # a synopsis, or what comes out
                yield page.name, words


@pytest.mark.parametrize(
    ("page", "words"), list(_lines()), ids=lambda one: one if isinstance(one, str) else " ".join(one)
)
def test_each_command_line_of_the_documents_is_one_that_there_is(page: str, words: list[str]) -> None:
    """Its verb, and each option of it."""
    group: Any = command
    path = ["edgefn"]
    for word in words[1:]:
        if word in getattr(group, "commands", {}):
            group = group.commands[word]
            path.append(word)
        elif not word.startswith("-"):
            break
    options = {spelling for verb in (command, group) for each in verb.params for spelling in each.opts} | {"--help"}
    used = {word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)}
    assert " ".join(path) in VERBS or used & {"--version", "--help"}, f"{page}: {' '.join(words)}"
    assert used <= options, f"{page}: {used - options}"
