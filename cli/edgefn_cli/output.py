"""What goes where: results on stdout, everything said on the way on stderr.

With `--json` stdout carries one JSON value (or, where a verb says so, one a line) and nothing else. rich is
imported when something is drawn, not before. This module must never decide an exit code.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType

# A pipe has no width; rich would take 80 columns and cut digests and traces out of a `| grep`.
_PIPE_COLUMNS = 200


def result(value: Any) -> None:
    """Writes `value` to stdout as one line of JSON: for programs."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def draw(renderable: RenderableType) -> None:
    """Draws a table or panel on stdout: for people. Cells must be `rich.text.Text` where a box or user wrote them."""
    from rich.console import Console

    Console(highlight=False, width=None if is_terminal() else _PIPE_COLUMNS).print(renderable)


def line(text: str) -> None:
    """One line of a result on stdout, as it is."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """One line of prose on stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def confirm(question: str) -> None:
    """Asks on stderr (stdout is for results). Raises typer.Abort unless the answer is yes."""
    import typer

    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise typer.Abort


def is_terminal() -> bool:
    """True when a person reads stdout."""
    return sys.stdout.isatty()
