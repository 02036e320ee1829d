"""`edgefn init NAME`: a new function's folder."""

from __future__ import annotations

import os
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from edgefn_cli.display import output
from edgefn_cli.options import JsonOption
from edgefn_cli.project.scaffold import Kind


def init(
    name: Annotated[Path, typer.Argument(metavar="NAME", help="The new folder; its last part is the function's name.")],
    template: Annotated[
        Kind, typer.Option("--template", "-t", help="model: a small network; plain: no network, no PyTorch.")
    ] = Kind.model,
    as_json: JsonOption = False,
) -> None:
    """Create a function that builds, deploys and passes its own test, and add it to edgefn.toml.

    Existing files are not changed. If there is no edgefn.toml, one is created.

    Example: edgefn init functions/count_parts --template model
    """
    from edgefn_cli.project import scaffold
    from edgefn_cli.project.register import ProjectEntry

    folder = Path(os.path.normpath(Path.cwd() / name))
    scaffold.check_name(folder.name)
    entry = ProjectEntry.of(folder)
    files = scaffold.create(folder, template)
    entry.write()
    if as_json:
        made = [str(path) for path in files]
        output.result({"function": folder.name, "folder": str(folder), "files": made, "project": str(entry.file)})
        return
    for path in files:
        output.line(os.path.relpath(path))
    shown = shlex.quote(str(name))
    steps = [*_to_install(template), f"pytest {shown}", f"edgefn dev {shown}"]
    output.say(f"added {folder.name} to {entry.file}. Next: {'; '.join(steps)}")


def _to_install(template: Kind) -> list[str]:
    """Return the command that installs what the next steps need and is missing here, if anything is."""
    from edgefn import extras

    missing = extras.missing("runtime", *(("compile",) if template is Kind.model else ()))
    beside = () if find_spec("pytest") else ("pytest",)
    return [extras.hint(*missing, beside=beside)] if missing or beside else []
