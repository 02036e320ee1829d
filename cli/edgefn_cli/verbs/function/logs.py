"""`edgefn logs NAME`: the output of a function, and the traces of its errors."""

from __future__ import annotations

from typing import Annotated

import typer

from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, FunctionArgument, JsonOption

_COLUMNS = ("time", "stream", "pid", "id", "text")


def logs(
    name: FunctionArgument,
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=10_000, help="The number of last lines to show.")
    ] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Then show each new line, until Ctrl-C.")] = False,
    box: BoxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the last lines of a function's log: its output, and the tracebacks of its errors.

    With --json, one object a line: time, stream, pid, id, text.

    Example: edgefn logs classify_image -n 20 --follow
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        columns = dict.fromkeys(_COLUMNS, "")
        for line in client.logs(name, lines, follow=follow):
            if as_json:
                columns = _columns(line, columns)
                output.result(columns)
            else:
                output.line(line)


def _columns(line: str, before: dict[str, str]) -> dict[str, str]:
    """Split a line of a log into its columns.

    A further line of a record (it starts with a tab) keeps the columns before it.
    """
    if line.startswith("\t"):
        return before | {"text": line[1:]}
    return dict.fromkeys(_COLUMNS, "") | dict(zip(_COLUMNS, line.split(" ", len(_COLUMNS) - 1), strict=False))
