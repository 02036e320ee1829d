"""The typer application: the verbs in the order a newcomer meets them, and the two options before any verb.

Building it must stay cheap, for `edgefn --help` and completion run it: verbs import what they need when they run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

import typer
from typer.main import get_command

from edgefn_cli.display.failures import DEBUG, Verb
from edgefn_cli.environment import INSECURE
from edgefn_cli.verbs.box import box as box_verbs
from edgefn_cli.verbs.box import secret as secret_verbs
from edgefn_cli.verbs.box.login import login
from edgefn_cli.verbs.function.deploy import deploy
from edgefn_cli.verbs.function.explain import explain
from edgefn_cli.verbs.function.invoke import invoke
from edgefn_cli.verbs.function.list import list_functions
from edgefn_cli.verbs.function.logs import logs
from edgefn_cli.verbs.function.remove import remove
from edgefn_cli.verbs.function.rollback import rollback
from edgefn_cli.verbs.function.status import status
from edgefn_cli.verbs.function.stop import stop
from edgefn_cli.verbs.project.build import build
from edgefn_cli.verbs.project.dev import dev
from edgefn_cli.verbs.project.init import init
from edgefn_cli.verbs.project.targets import targets

app = typer.Typer(
    name="edgefn",
    help="Write a PyTorch function on your laptop and run it on any edge box, on demand.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)

_VERBS: dict[str, tuple[tuple[str, Callable[..., None]], ...]] = {
    "On your machine": (("init", init), ("dev", dev), ("build", build), ("targets", targets)),
    "Functions on a box": (
        ("deploy", deploy),
        ("invoke", invoke),
        ("list", list_functions),
        ("status", status),
        ("explain", explain),
        ("logs", logs),
        ("stop", stop),
        ("rollback", rollback),
        ("remove", remove),
    ),
}

for panel, verbs in _VERBS.items():
    for name, verb in verbs:
        app.command(name, cls=Verb, rich_help_panel=panel)(verb)
app.command("login", cls=Verb, rich_help_panel="Boxes")(login)
app.add_typer(box_verbs.app, name="box", rich_help_panel="Boxes")
app.add_typer(secret_verbs.app, name="secret", rich_help_panel="Boxes")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"edgefn {version('edgefn')}")
        raise typer.Exit


@app.callback()
def edgefn(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help=f"Show tracebacks with errors; also {DEBUG}=1.")] = False,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help=f"Send the token over plain http, where others on the network can read it; also {INSECURE}=1.",
        ),
    ] = False,
) -> None:
    """Write a PyTorch function on your laptop and run it on any edge box, on demand.

    A first round: edgefn init hello; edgefn box run &; edgefn deploy hello; edgefn invoke hello --json '{"n": 1}'
    """
    if debug:
        os.environ[DEBUG] = "1"
    if insecure:
        os.environ[INSECURE] = "1"


command = get_command(app)
