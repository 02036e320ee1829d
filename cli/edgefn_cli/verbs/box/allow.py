"""`edgefn box allow`: the operator's grants to functions, beyond their sandbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgefn.errors import InputError
from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from edgefn.api.grants import FunctionGrants, Grant


def allow(
    function: Annotated[str | None, typer.Argument(metavar="[FUNCTION]", help="The function's name.")] = None,
    kind: Annotated[str | None, typer.Argument(metavar="[KIND]", help="network, or device.")] = None,
    value: Annotated[str | None, typer.Argument(metavar="[VALUE]", help="Which device, e.g. /dev/video0.")] = None,
    show: Annotated[
        bool, typer.Option("--list", help="Show what is granted to FUNCTION, or to all functions.")
    ] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Revoke it; a function that asks for it is not served then.")
    ] = False,
    box: BoxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a function have what it asks for: the network, or a device. Its later revisions have it too.

    It may be granted before the function is deployed. Only the operator can grant. `--list` shows all grants.

    Example: edgefn box allow watch device /dev/video0
    Example: edgefn box allow watch network --revoke
    """
    from edgefn_cli.boxes.reach import reach

    if not show and (function is None or kind is None):
        raise InputError("give the function and what it may have: edgefn box allow FUNCTION network, or use --list")
    if show and (kind or revoke):
        raise InputError("--list goes with a function's name at most")
    with reach(box) as client:
        if show:
            listed = client.grants(function) if function else client.all_grants()
            output.result(listed.json) if as_json else output.draw(_table(listed.value.grants))
            return
        found = client.allow(str(function), str(kind), value or "", revoke=revoke)
    if as_json:
        output.result(found.json)
    else:
        wanted = f"{kind} {value or ''}".rstrip()
        output.say(f"{function} {'may not have' if revoke else 'may have'} {wanted}")
        for lacking in _lacking(found.value):
            output.say(f"it is not served: it also asks for {lacking}. Grant it with `edgefn box allow`")


def _lacking(found: FunctionGrants) -> list[str]:
    granted = {grant.permission for grant in found.grants}
    return [wanted for wanted in found.asked if wanted not in granted]


def _table(grants: list[Grant]) -> Table:
    from edgefn_cli.display.tables import RowTable

    table = RowTable("FUNCTION", "MAY HAVE", "SINCE", "BY")
    for grant in grants:
        by = _BY.get(grant.granted_by, grant.granted_by)
        table.add(grant.function, grant.permission, grant.granted_at, by)
    return table


_BY = {"kept": "nobody: deployed before grants existed", "--dev": "development mode"}
