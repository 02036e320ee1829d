"""`edgefn targets`: the hardware that models can be lowered for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgefn_cli.display import output
from edgefn_cli.options import JsonOption

if TYPE_CHECKING:
    from pathlib import Path

    from rich.table import Table

NameArgument = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="A profile or target to show in full, with its sources.")
]


def targets(name: NameArgument = None, as_json: JsonOption = False) -> None:
    """Show the targets that models can be built for, and which of them this machine can run.

    Targets come from edgefn's profiles and from the folder targets/ beside the project's edgefn.toml.

    Example: edgefn targets x86-64-v3
    """
    from edgefn_cli.project.workplace import Workplace

    folder = Workplace.here().project.profiles
    if name is None:
        rows = _rows(folder)
        output.result({"targets": rows}) if as_json else output.draw(_table(rows))
    else:
        profile = _profile(name, folder)
        output.result(profile) if as_json else output.draw(_whole(profile))


def _rows(folder: Path | None) -> list[dict[str, Any]]:
    """Return a row for each target: description, backend, verification, and this machine's refusal."""
    import msgspec

    from edgefn import backends
    from edgefn.targets import matcher, profiles
    from edgefn.targets.facts import this_machine

    known = profiles.profiles(folder)
    here = this_machine(*(one.library for profile in known.values() for one in profile.runtimes if one.library))
    rows = []
    for name, target in profiles.targets(folder).items():
        needs = profiles.needs_of(target, folder)
        refused = matcher.refusal(name, needs, here, target.backend, lambda backend: backends.get(backend).probe())
        rows.append(
            {
                "target": name,
                "description": known[target.profile].description,
                "backend": target.backend,
                "verified": profiles.runtime_of(target, folder).verified,
                "satisfied": refused is None,
                "refusal": None if refused is None else msgspec.to_builtins(refused),
            }
        )
    return rows


def _profile(name: str, folder: Path | None) -> dict[str, Any]:
    """Return the profile of that name, or that of the target; raise SpecError with the nearest."""
    import msgspec

    from edgefn.errors import SpecError
    from edgefn.targets import profiles

    known = profiles.profiles(folder)
    try:
        profile = name if name in known else profiles.target(name, folder=folder).profile
    except SpecError:
        meant = profiles.nearest(name, [*known, *profiles.targets(folder)])
        raise SpecError(f"no profile or target is called {name!r}{meant}") from None
    whole: dict[str, Any] = msgspec.to_builtins(known[profile])
    return {"name": profile, **whole, "targets": [str(one) for one in profiles.targets_of(profile, known[profile])]}


def _table(rows: list[dict[str, Any]]) -> Table:
    from edgefn_cli.display.tables import RowTable

    table = RowTable("TARGET", "BACKEND", "VERIFIED", "HERE", "DESCRIPTION", grouped=2)
    for row in rows:
        why = row["refusal"]
        here = "yes" if why is None else f"no: needs {why['needs']}, this machine has {why['has']}"
        table.add(row["target"], row["backend"], row["verified"], here, row["description"])
    return table


def _whole(profile: dict[str, Any]) -> Table:
    """Return a table of every key that has a value, dotted, then the sources."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    for key, value in _dotted(profile):
        table.add_row(Text(key, style="dim"), Text(value))
    for key, source in profile["sources"].items():
        table.add_row(Text(f"source of {key}", style="dim"), Text(" ".join(source.split())))
    return table


def _dotted(profile: dict[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in profile.items():
        if key == "runtimes":
            found += [(f"runtimes.{one['backend']}", _members(one)) for one in value]
        elif isinstance(value, dict) and key != "sources":
            found += [(f"{key}.{inner}", _shown(what)) for inner, what in value.items() if what]
        elif value and key != "sources":
            found.append((key, _shown(value)))
    return found


def _members(runtime: dict[str, Any]) -> str:
    return "; ".join(f"{key} {_shown(value)}" for key, value in runtime.items() if value and key != "backend")


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
