"""`edgefn remove NAME`: a function off a box, with its history."""

from __future__ import annotations

from typing import Annotated

import typer

from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, FunctionArgument, JsonOption


def remove(
    name: FunctionArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Skip the prompt.")] = False,
    box: BoxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove a function from a box: its revisions, its history and its log. It asks first.

    Example: edgefn remove classify_image --yes
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        if not yes:
            number = client.function(name).value.number
            output.confirm(f"Remove {name} (revision {number}) from {client.address.url}?")
        client.remove(name)
    if as_json:
        output.result({"function": name, "removed": True})
    else:
        output.say(f"removed {name} from {client.address.url}")
