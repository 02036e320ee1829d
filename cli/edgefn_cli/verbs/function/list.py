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
    from edgefn_cli.display import wording
    from edgefn_cli.display.tables import RowTable

    figures = ("REVISION", "INSTANCES", "MEMORY", "REQUESTS", "ERRORS")
    table = RowTable("NAME", "STATE", *figures, "DEPLOYED", right=figures)
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
        table.add(*cells)
    return table
