"""The command's tables on a terminal of 80 columns: no name is cut, and no column is one word wide."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable

import pytest

from tests.e2e.box import RunningBox
from tests.terminal import in_terminal

COLUMNS = 80
VERBS = [["list"], ["status", "linear"], ["explain", "linear"], ["box", "info"], ["targets"]]


@pytest.mark.needs_torch
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_terminal_of_80_columns(deployed: Callable[[str], RunningBox], verb: list[str]) -> None:
    """Each line of a table fits and none is cut, and no three lines in turn have one word each.

    A sentence below a table, after a dash, is broken by the terminal.
    """
    box = deployed("linear")
    lines = drawn([*verb, *([] if verb == ["targets"] else ["--box", box.url])], box)
    assert lines
    assert [line for line in lines if (len(line) > COLUMNS and not line.startswith("- ")) or "…" in line] == []
    words = [len(line.strip("│╭╰─╮╯ ").split()) for line in lines]
    assert not [at for at in range(len(words) - 2) if words[at : at + 3] == [1, 1, 1]], "\n".join(lines)


def drawn(arguments: list[str], box: RunningBox) -> list[str]:
    """What the command writes to a terminal, as lines without control sequences; it must succeed."""
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    environment |= {"TERM": "xterm", "EDGEFN_HOME": str(box.home)}
    line = [sys.executable, "-m", "edgefn_cli", *arguments]
    shown, code = in_terminal(line, environment, columns=COLUMNS)
    assert code == 0, shown
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", shown.decode()).splitlines()
