"""`edgefn box run | check | info | token | allow | audit`: a box itself."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from edgefn_cli.box_options import BoxCommand, configured
from edgefn_cli.display import output, wording
from edgefn_cli.display.failures import MissingExtra, Verb
from edgefn_cli.options import BoxOption, JsonOption
from edgefn_cli.verbs.box import token
from edgefn_cli.verbs.box.allow import allow
from edgefn_cli.verbs.box.audit import audit
from edgefn_runtime.options import OPTIONS

if TYPE_CHECKING:
    from rich.table import Table

    from edgefn.api.boxes import BoxInfo, CpuInfo, FunctionRefusal, MemoryTotals, TlsInfo
    from edgefn.targets.matcher import TargetRefusal

_RUNTIME_EXTRA = {
    "cryptography",
    "uvicorn",
    "uvloop",
    "httptools",
    "starlette",
    "onnxruntime",
    "prometheus_client",
    "packaging",
}

_LISTENING = re.compile(r"listening on (http\S+)")

app = typer.Typer(help="Run a box, or show its facts.", no_args_is_help=True)
app.add_typer(token.app, name="token")


@app.command(cls=BoxCommand)
def run(
    context: typer.Context,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print url and home as a line of JSON once the box listens.")
    ] = False,
) -> None:
    """Run a box in the foreground until Ctrl-C or SIGTERM; requests in progress are answered first.

    Example: edgefn box run --home /tmp/box --port 0
    """
    from edgefn_runtime.start import run as serve

    settings = configured(context).settings
    told = _Announcement(settings.home, sys.stdout) if as_json else sys.stdout
    with redirect_stdout(told), _runtime_told():
        code = serve(settings)
    raise typer.Exit(code)


@app.command(cls=BoxCommand)
def check(context: typer.Context, as_json: JsonOption = False) -> None:
    """Show the configuration that a box would start with: each option, its value and its source.

    It takes the options of `edgefn box run`, reads the same variables and the same file, and starts nothing.

    Example: edgefn box check --config /etc/edgefn/box.toml
    """
    found = configured(context)
    rows = {
        name: (_plain(getattr(found.settings, OPTIONS[name].field)), where) for name, where in found.sources.items()
    }
    if as_json:
        options = {name: {"value": value, "source": where} for name, (value, where) in rows.items()}
        output.result({"file": str(found.file) if found.file else None, "options": options})
        return
    output.draw(_options_table(rows))


@app.command(cls=Verb)
def info(box: BoxOption = None, as_json: JsonOption = False) -> None:
    """Show a box: its version, home, CPU, engines and devices, and which targets it satisfies.

    For each unsatisfied target: what it needs, what the box has, and what would help.

    Example: edgefn box info --box http://192.168.1.20:8080
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        found = client.box()
    if as_json:
        output.result(found.json)
    else:
        about = found.value
        output.draw(_table(about))
        if about.refused or about.targets.refused:
            output.draw(_refusals(about.refused, about.targets.refused))


app.command(cls=Verb)(allow)
app.command(cls=Verb)(audit)


@contextmanager
def _runtime_told() -> Iterator[None]:
    """Raise MissingExtra, with the command that installs it, where the runtime extra lacks a package."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in _RUNTIME_EXTRA:
            raise
        raise MissingExtra(f"{error.name}, required to run a box,", "runtime") from error


class _Announcement(io.TextIOBase):
    """The box's line "edgefn box listening on URL …" as JSON; all its other output goes to stderr."""

    def __init__(self, home: Path, to: TextIO) -> None:
        self._home = home
        self._to = to
        self._begun = ""

    def write(self, text: str) -> int:
        *whole, self._begun = (self._begun + text).split("\n")
        for line in whole:
            self._tell(line)
        return len(text)

    def _tell(self, line: str) -> None:
        if heard := _LISTENING.search(line):
            about = {"url": heard[1], "pid": os.getpid(), "home": str(self._home)}
            print(json.dumps(about), file=self._to, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _plain(value: Any) -> Any:
    """Return a setting as JSON and a table show it."""
    return list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value


def _options_table(rows: dict[str, tuple[Any, str]]) -> Table:
    from edgefn_cli.display.tables import RowTable

    table = RowTable("OPTION", "VALUE", "FROM")
    for name, (value, where) in rows.items():
        shown = ", ".join(value) if isinstance(value, list) else "" if value is None else str(value)
        table.add(name, shown, where)
    return table


def _isolation(layers: dict[str, bool | str]) -> str:
    """Return the isolation that the box's kernel enforces around a function, and the missing layers."""
    enforced = ", ".join(name for name, how in layers.items() if how is True) or "none"
    missing = "; ".join(f"{name}: {how}" for name, how in layers.items() if how is not True)
    return f"{enforced}; not enforced: {missing}" if missing else enforced


def _memory(memory: MemoryTotals | None) -> str:
    """Return the functions' memory limit, the memory they have taken, and the machine's free memory."""
    from edgefn.text.quantities import format_bytes

    if memory is None:
        return ""
    return (
        f"{format_bytes(memory.budget_bytes)} for functions, {format_bytes(memory.committed_bytes)} taken, "
        f"{format_bytes(memory.available_bytes)} free on the machine"
    )


def _tls(tls: TlsInfo | None) -> str:
    """Return the fingerprint of the box's certificate, and whether clients need one, too."""
    if tls is None:
        return "off"
    return f"{tls.fingerprint}{', and of clients' * tls.wants_client_certificates}"


def _table(about: BoxInfo) -> Table:
    """Return a table of the facts about a box, without those that an older box does not tell."""
    from rich.table import Table
    from rich.text import Text

    from edgefn.text.quantities import format_duration

    engines = ", ".join(f"{name} {version}" for name, version in about.engines.items())
    rows = {
        **{"name": about.name, "version": about.version, "pid": about.pid, "url": about.url, "home": about.home},
        "python": about.python,
        "memory": _memory(about.memory),
        "isolation": _isolation(about.isolation) if about.isolation else "",
        "callers": wording.callers(about.callers),
        "tls": _tls(about.tls),
        "development": "on: functions get whatever they ask for" if about.development else "off",
        **{"functions": about.functions, "fingerprint": about.fingerprint, "cpu": _cpu(about.cpu)},
        "engines": engines or "none",
        "devices": ", ".join(about.devices) or "none",
        "targets": ", ".join(about.targets.satisfied) or "none",
        **{"cores": about.cores, "uptime": format_duration(about.uptime_s)},
    }
    table = Table.grid(padding=(0, 2))
    for word, value in rows.items():
        if value not in ("", None):
            table.add_row(Text(word, style="dim"), Text(str(value)))
    return table


def _cpu(cpu: CpuInfo | None) -> str:
    """Return the CPU's architecture and name, and the features that profiles ask for."""
    if cpu is None:
        return ""
    return f"{cpu.arch}, {cpu.name or 'without a name'}: {' '.join(cpu.features) or 'no feature that matters'}"


def _refusals(artifacts: list[FunctionRefusal], targets: list[TargetRefusal]) -> Table:
    """Return a table of what the box cannot run: artifacts of its functions first, then targets."""
    from edgefn_cli.display.tables import RowTable

    table = RowTable("NOT FOR THIS BOX", "NEEDS", "HAS", "WHAT WOULD HELP", grouped=3)
    rows = [*((f"{why.function}: {why.artifact}", why) for why in artifacts), *((why.artifact, why) for why in targets)]
    for artifact, why in rows:
        table.add(artifact, why.needs, why.has, why.fix)
    return table
