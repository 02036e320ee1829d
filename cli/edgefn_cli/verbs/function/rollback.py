"""`edgefn rollback NAME`: an earlier revision of a function serves again."""

from __future__ import annotations

from typing import Annotated

import typer

from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, FunctionArgument, JsonOption


def rollback(
    name: FunctionArgument,
    to: Annotated[
        int | None,
        typer.Option("--to", min=1, metavar="NUMBER", help="The revision's number. Default: the previous one."),
    ] = None,
    box: BoxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go back to an earlier revision. The box still has it: nothing is built or uploaded.

    `edgefn status NAME` lists the revisions.

    Example: edgefn rollback classify_image --to 3
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        found = client.rollback(name, to)
    if as_json:
        output.result(found.json)
    else:
        output.say(f"{name} is back on revision {found.value.number} ({found.value.revision})")
