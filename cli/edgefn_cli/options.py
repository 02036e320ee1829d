"""The options that several verbs share, spelled once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

BoxOption = Annotated[
    str | None,
    typer.Option(
        "--box",
        envvar="EDGEFN_BOX",
        metavar="NAME|URL",
        help=(
            "The box: its URL, or its name in edgefn.toml or your logins. Default: the one in edgefn.toml, else "
            "the box on this machine."
        ),
    ),
]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print the result as JSON on stdout; errors as problem+json objects on stderr."),
]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="EDGEFN_HOME",
        file_okay=False,
        help="The box's directory. Default: ~/.local/state/edgefn, for root /var/lib/edgefn.",
    ),
]
FunctionArgument = Annotated[str, typer.Argument(metavar="NAME", help="The function's name.")]
PathsArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[PATH]...",
        help="Folders of functions, or names from edgefn.toml. Default: all functions of edgefn.toml.",
    ),
]
TargetsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="Build for this target, e.g. x86-64-v3/int8, instead of those in edgefn.toml; repeatable. "
        "`all-native`: every target that this machine can run. portable/fp32 is always built.",
    ),
]
TimeoutOption = Annotated[
    str | None,
    typer.Option(
        "--timeout", metavar="TIME", help="Stop a compiler after this time, e.g. 15min. Default: the project's."
    ),
]
