"""`edgefn box audit`: the record of changes on a box: actor, address and result."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, JsonOption


def audit(
    lines: Annotated[
        int, typer.Option("--lines", "-n", min=0, max=10_000, help="The number of last records to show.")
    ] = 100,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Then show each new record, until Ctrl-C.")] = False,
    box: BoxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show who did what on a box: deployments, refusals, rollbacks, removals, grants, failed functions, wrong tokens.

    With --json, one object a line: at, who, address, action, function, before, after, result, detail.

    Example: edgefn box audit -n 20 --follow
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        for record in client.audit(lines, follow=follow):
            if as_json:
                output.result(record)
            else:
                output.line(_told(record))


def _told(record: dict[str, Any]) -> str:
    from edgefn_cli.display import wording

    who = " at ".join(filter(None, [record.get("who", "nobody"), record.get("address", "")]))
    moved = ""
    if "before" in record or "after" in record:
        before, after = (wording.digest(record[end]) if end in record else "nothing" for end in ("before", "after"))
        moved = f"{before} -> {after}"
    words = [record.get("action", ""), record.get("function", ""), who, moved, record.get("result", "")]
    return " ".join(filter(None, [record.get("at", ""), ", ".join(filter(None, [*words, record.get("detail", "")]))]))
