"""The one way out for text: results on stdout, all other messages on stderr.

With `--json` stdout carries one JSON value (or, for some verbs, one a line) and nothing else. rich is
imported when something is drawn, not before. This module must never decide an exit code.

All that the command prints goes through here, but for a function's own answer that goes into a file or a pipe. Control
characters in text from a box, a bundle or a handler are escaped: such text cannot move the reader's cursor, nor type
into the reader's terminal.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

from edgefn.text.terminal import visible, visible_json

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# A pipe has no width; rich would take 80 columns and cut digests and traces out of a `| grep`.
_PIPE_COLUMNS = 1000


def result(value: Any) -> None:
    """Write `value` to stdout as one line of JSON: for programs."""
    sys.stdout.write(as_json(value) + "\n")
    sys.stdout.flush()


def as_json(value: Any) -> str:
    """Return `value` as JSON in one line, control characters of every kind as JSON's escapes."""
    return visible_json(json.dumps(value, ensure_ascii=False))


def draw(renderable: RenderableType) -> None:
    """Draw a table or panel on stdout, for people.

    Cells must be `rich.text.Text` where a box or user wrote them.
    """
    console(width=None if is_terminal() else _PIPE_COLUMNS).print(renderable)


def console(*, stderr: bool = False, width: int | None = None) -> Console:
    """Return a console of rich that writes out the control characters of whatever is drawn."""
    from edgefn_cli.display.console import SafeConsole

    return SafeConsole(highlight=False, stderr=stderr, width=width)


def line(text: str) -> None:
    """Write one line of a result to stdout."""
    _write(sys.stdout, visible(text) + "\n")


def say(text: str) -> None:
    """Write one line of prose to stderr."""
    _write(sys.stderr, visible(text) + "\n")


def _write(to: TextIO, text: str) -> None:
    to.write(text)
    to.flush()


def confirm(question: str) -> None:
    """Ask on stderr (stdout is for results). Raises typer.Abort unless the answer is yes."""
    import typer

    _write(sys.stderr, f"{visible(question)} [y/N] ")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    if answer.strip().lower() not in ("y", "yes"):
        raise typer.Abort


def is_terminal() -> bool:
    """Tell whether stdout is a terminal."""
    return sys.stdout.isatty()
