"""From a verb's --box to a client of that box; the one place where edgefn.toml, environment and client meet."""

from __future__ import annotations

from pathlib import Path

from edgefn_cli.boxes.client import Client
from edgefn_cli.boxes.discovery import find


def reach(box: str | None) -> Client:
    """Return a client of the box that `--box`, EDGEFN_BOX, edgefn.toml or the default names.

    It opens no connection yet.
    """
    from edgefn.project import Project

    return Client(find(box, Project.find(Path.cwd())))
