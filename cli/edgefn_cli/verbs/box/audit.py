"""`edgefn box audit`: the record of changes on a box: actor, address and result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, JsonOption

if TYPE_CHECKING:
    from edgefn.api.audit import AuditRecord


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
                output.result(record.json)
            else:
                output.line(_told(record.value))


def _told(record: AuditRecord) -> str:
    from edgefn_cli.display import wording

    who = " at ".join(filter(None, [record.who or ("nobody" if record.action else ""), record.address]))
    before, after = (wording.digest(end) or "nothing" for end in (record.before, record.after))
    moved = f"{before} -> {after}" if record.before or record.after else ""
    words = [record.action, record.function, who, moved, record.result, record.detail]
    return " ".join(filter(None, [record.at, ", ".join(filter(None, words))]))
