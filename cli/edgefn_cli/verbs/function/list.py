"""`edgefn list`: the functions of a box."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from edgefn.api.functions import FunctionStatus


def list_functions(box: BoxOption = None, as_json: JsonOption = False) -> None:
    """Show the functions of a box, their state and their traffic.

    This never starts a function: one that is scaled to zero stays at zero.

    Example: edgefn list --box line-3
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        found = client.functions()
    if as_json:
        output.result(found.json)
    elif found.value.functions:
        output.draw(_table(found.value.functions))
    else:
        output.say(f"no functions on {client.address.url}: deploy one with `edgefn deploy PATH`")


def _table(functions: list[FunctionStatus]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from edgefn_cli.display import wording

    table = Table(box=None, pad_edge=False)
    for heading in ("NAME", "STATE", "REVISION", "INSTANCES", "MEMORY", "REQUESTS", "ERRORS", "DEPLOYED"):
        right = heading in ("REVISION", "INSTANCES", "MEMORY", "REQUESTS", "ERRORS")
        table.add_column(
            heading, justify="right" if right else "left", no_wrap=heading != "NAME", overflow="fold"
        )  # a name is the only cell that may be long
    for status in sorted(functions, key=lambda status: status.name):
        cells = (
            status.name,
            status.state,
            str(status.number),
            str(len(status.instances)),
            wording.memory(status),
            f"{status.requests:,}",
            f"{status.errors:,}",
            wording.moment(status.deployed_at)[:10],
        )
        table.add_row(*map(Text, cells))
    return table
