"""`edgefn box token …`: who may talk to a box. A token's value is shown once, when it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from edgefn_cli.display import output
from edgefn_cli.display.failures import Verb
from edgefn_cli.options import BoxOption, HomeOption, JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from edgefn.api.tokens import NewToken, TokenInfo
    from edgefn_cli.boxes.received import JsonAnswer

app = typer.Typer()

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The token's name.")]


@app.callback(invoke_without_command=True)
def token(context: typer.Context, home: HomeOption = None, as_json: JsonOption = False) -> None:
    """Print the first token of a box on this machine, which allows everything; or create, list, rotate, revoke others.

    Example: ssh line-3 edgefn box token | edgefn login https://line-3:8080 --fingerprint SHA256
    """
    from edgefn_cli.boxes import discovery

    if context.invoked_subcommand is not None:
        return
    found = discovery.read_token(home or discovery.home())
    if as_json:
        output.result({"token": found.value, "home": str(home or discovery.home())})
    else:
        output.line(found.value)


@app.command(cls=Verb)
def create(
    name: NameArgument,
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="What it allows: admin, status, invoke:FUNCTION or invoke:*; repeatable.",
        ),
    ],
    rate: Annotated[
        float | None,
        typer.Option("--rate", min=0.001, metavar="NUMBER", help="The maximum number of requests a second."),
    ] = None,
    box: BoxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a token and print its value, only this once: the box stores only its hash.

    admin allows everything; status allows reading functions and figures; invoke allows calling functions.

    Example: edgefn box token create line-3-camera --scope invoke:classify_image --rate 20
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        made = client.create_token(name, scope, rate)
    _told(made, as_json)


@app.command("list", cls=Verb)
def list_tokens(box: BoxOption = None, as_json: JsonOption = False) -> None:
    """Show the box's tokens: name, scopes, rate, and how often each was used since the box started.

    Example: edgefn box token list
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        found = client.tokens()
    output.result(found.json) if as_json else output.draw(_table(found.value.tokens))


@app.command(cls=Verb)
def rotate(name: NameArgument, box: BoxOption = None, as_json: JsonOption = False) -> None:
    """Give a token a new value and print it, only this once; the old value becomes invalid.

    Example: edgefn box token rotate line-3-camera
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        made = client.rotate_token(name)
    _told(made, as_json)


@app.command(cls=Verb)
def revoke(name: NameArgument, box: BoxOption = None, as_json: JsonOption = False) -> None:
    """Revoke a token: the box refuses it from now on.

    Example: edgefn box token revoke line-3-camera
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        client.revoke_token(name)
    if as_json:
        output.result({"name": name, "revoked": True})
    else:
        output.say(f"the token {name} is revoked")


def _told(made: JsonAnswer[NewToken], as_json: bool) -> None:
    if as_json:
        output.result(made.json)
    else:
        token = made.value
        output.line(token.token)
        output.say(
            f"{token.name} ({', '.join(token.scopes)}): the value is shown only once; the box stores only its hash"
        )


def _table(tokens: list[TokenInfo]) -> Table:
    from edgefn_cli.display import wording
    from edgefn_cli.display.tables import RowTable

    table = RowTable("NAME", "SCOPES", "RATE", "SINCE", "USED", right=["USED"])
    for each in tokens:
        rate = f"{each.rate:g}/s" if each.rate else "-"
        table.add(each.name, " ".join(each.scopes), rate, wording.moment(each.created_at), f"{each.uses:,}")
    return table
