"""`edgefn secret set | list | remove`: credentials and keys that a box keeps for itself."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgefn.errors import InputError
from edgefn_cli.display import output
from edgefn_cli.display.failures import Verb
from edgefn_cli.options import BoxOption, JsonOption

if TYPE_CHECKING:
    from rich.table import Table

    from edgefn.api.secrets import SecretInfo

app = typer.Typer(help="Set, list and remove credentials and keys that a box keeps for itself.", no_args_is_help=True)

_VALUE = "give the value on stdin, or an existing file with --file: everybody on the machine can see a command line"
_Name = Annotated[str, typer.Argument(metavar="NAME", help="The secret's name.")]


class _Unrepeated(Verb):
    """A verb whose usage errors repeat nothing of the command line: a secret may stand there by mistake."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse as any command does. Raises click's UsageError in words of ours."""
        try:
            return super().parse_args(ctx, args)
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            option = getattr(error, "param", None)
        # Beyond the except: a trace of --debug would show the other error's words, too.
        where = f" at {option.get_error_hint(ctx)}" if option is not None else ""
        ctx.fail(f"the command line is wrong{where}. It takes NAME and options; {_VALUE}")
        return []


@app.command("set", cls=_Unrepeated)
def set_secret(
    name: _Name,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", exists=True, dir_okay=False, help="Read the value from this file."),
    ] = None,
    box: BoxOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a secret on a box. Its value is read from stdin or a file: everybody can see a command line.

    At a terminal it prompts without an echo. A line end at the end of stdin is removed.

    Example: edgefn secret set registry < password.txt
    """
    from edgefn_cli.boxes.reach import reach

    if "=" in name:
        raise InputError(f"the name of a secret cannot contain '='; {_VALUE}")
    value = file.read_bytes() if file is not None else _from_stdin(name)
    if not value:
        raise InputError(f"the value of the secret {name} is empty: give it on stdin or with --file")
    with reach(box) as client:
        kept = client.set_secret(name, value)
    if as_json:
        output.result(kept.json)
    else:
        output.say(f"{name} is set, sealed by {_sealed_by(kept.value)}")


@app.command("list", cls=Verb)
def list_secrets(box: BoxOption = None, as_json: JsonOption = False) -> None:
    """List a box's secrets: name, how it is sealed, and since when. No command shows a value.

    Example: edgefn secret list
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        found = client.secrets()
    if as_json:
        output.result(found.json)
    else:
        output.draw(_table(found.value.secrets))


@app.command("remove", cls=Verb)
def remove_secret(name: _Name, box: BoxOption = None, as_json: JsonOption = False) -> None:
    """Remove a secret from a box.

    Example: edgefn secret remove registry
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        client.remove_secret(name)
    if as_json:
        output.result({"secret": name, "removed": True})
    else:
        output.say(f"{name} is removed")


def _from_stdin(name: str) -> bytes:
    if sys.stdin.isatty():
        import getpass

        return getpass.getpass(f"{name}: ").encode()
    return sys.stdin.buffer.read().removesuffix(b"\n").removesuffix(b"\r")


_HOW = {"tpm": "systemd-creds with the TPM", "systemd": "systemd-creds", "key file": "a key file of the box"}


def _sealed_by(secret: SecretInfo) -> str:
    return _HOW.get(secret.sealed_by, secret.sealed_by)


def _table(secrets: list[SecretInfo]) -> Table:
    from edgefn_cli.display.tables import RowTable

    table = RowTable("SECRET", "SEALED BY", "SINCE")
    for secret in secrets:
        table.add(secret.name, _sealed_by(secret), secret.set_at)
    return table
