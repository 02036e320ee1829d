"""`edgefn status NAME`: one function on a box, whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, FunctionArgument, JsonOption

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.console import RenderableType
    from rich.table import Table

    from edgefn.api.functions import BatchingFigures, CoreFigures, FunctionStatus, MemoryAccount, OutputFigures
    from edgefn.api.specs import DeployedSpec

_PHASES = {
    "wake_s": "wake",
    "fork_s": "fork",
    "sandbox_s": "sandbox",
    "import_s": "import",
    "session_s": "session",
    "first_run_s": "first run",
}


def status(name: FunctionArgument, box: BoxOption = None, as_json: JsonOption = False) -> None:
    """Show one function: its revision, state, instances, memory, artifacts, batching, last cold start and history.

    This never starts the function.

    Example: edgefn status classify_image
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        found = client.function(name)
    if as_json:
        output.result(found.json)
    else:
        output.draw(_panel(found.value))


def _panel(found: FunctionStatus) -> RenderableType:
    from rich.console import Group
    from rich.panel import Panel
    from rich.text import Text

    parts: list[RenderableType] = [_facts(found)]
    for heading, table in (
        ("instances", _instances(found)),
        ("artifacts", _artifacts(found)),
        ("batching", _batching(found)),
        ("history", _history(found)),
    ):
        if table.row_count:
            parts += [Text(f"\n{heading}", style="bold"), table]
    return Panel(Group(*parts), title=Text(found.name, style="bold"), title_align="left", expand=False)


def _missing(layers: dict[str, str]) -> dict[str, str]:
    """Return the layers of isolation that the box does not enforce, and why."""
    return {"not isolated": "; ".join(f"{name} ({why})" for name, why in layers.items())} if layers else {}


def _facts(found: FunctionStatus) -> Table:
    from rich.table import Table
    from rich.text import Text

    from edgefn_cli.display import wording

    table = Table.grid(padding=(0, 2))
    facts = {
        "state": " ".join(filter(None, [found.state, _because(found)])),
        "revision": f"{wording.revision(found)}, deployed {wording.moment(found.deployed_at)}",
        **_chain(found),
        "memory": _memory(found),
        **_account(found.memory),
        "requests": f"{found.requests:,} ({found.errors:,} failed, {found.queued} waiting)",
        "cold starts": " ".join(filter(None, [f"{found.cold_starts:,}", _last_start(found.phases)])),
        **_dropped(found.output),
        "callers": wording.callers(found.callers),
        "limits": _limits(found.spec),
        **_permissions(found),
        "cores": _cores(found.cores),
        **_missing(found.missing_isolation),
    }
    for fact, value in facts.items():
        table.add_row(Text(fact, style="dim"), Text(value))
    return table


def _chain(found: FunctionStatus) -> dict[str, str]:
    """Return the artifacts being finished, those that broke, and why all are finished again.

    Empty states are left out.
    """
    from edgefn_cli.display import wording

    facts = {}
    if found.finishing:
        facts["finishing"] = wording.finishing(found.finishing)
    for state, left in (("broken", found.broken), ("out of bound", found.out_of_bound)):
        if left:
            facts[state] = "; ".join(f"{each.artifact}: {each.reason}" for each in left)
    if found.changed:
        facts["changed"] = found.changed
    return facts


def _permissions(found: FunctionStatus) -> dict[str, str]:
    """Return the permissions that the function asks for, each with its grantor."""
    given = {one.permission: one.granted_by for one in found.grants}
    told = [f"{wanted} ({f'by {given[wanted]}' if wanted in given else 'not granted'})" for wanted in found.asked]
    return {"may have": ", ".join(told)} if told else {}


def _dropped(output: OutputFigures) -> dict[str, str]:
    """Return the lines that the function printed over its budget; {} where there are none."""
    if not output.dropped_bytes:
        return {}
    return {"output": f"{output.dropped_lines:,} lines were dropped: the function prints more than its log can take"}


def _because(found: FunctionStatus) -> str:
    again = found.retry_after_s
    told = [found.reason, f"next retry by a request, in {again} s at the earliest" if again else ""]
    return f"({'; '.join(filter(None, told))})" if any(told) else ""


def _memory(found: FunctionStatus) -> str:
    from edgefn.text.quantities import format_bytes
    from edgefn_cli.display import wording

    parked = found.template.private_bytes if found.template else None
    in_template = f", {format_bytes(parked)} of it in the template" if parked else ""
    return wording.memory(found) + in_template


def _account(counted: MemoryAccount) -> dict[str, str]:
    """Return the memory that the box accounts for the function's processes."""
    from edgefn.text.quantities import format_bytes

    if not counted.instance_bytes:
        return {}
    how = "measured" if counted.measured else "as declared, until a first answer"
    instance = f"{format_bytes(counted.instance_bytes)} an instance ({how})"
    return {"counted": f"{format_bytes(counted.template_bytes)} the template, {instance}"}


def _last_start(phases: dict[str, float]) -> str:
    from edgefn.text.quantities import format_duration

    told = [f"{word} {format_duration(phases[key])}" for key, word in _PHASES.items() if key in phases]
    return f"(the last: {', '.join(told)})" if told else ""


def _limits(spec: DeployedSpec | None) -> str:
    from edgefn.text.quantities import format_bytes, format_duration

    if spec is None:
        return "-"
    low, high = spec.scale
    return (
        f"{format_bytes(spec.memory_bytes)} an instance, {low} to {high} instances, "
        f"timeout {format_duration(spec.timeout_s)}, "
        f"idle {'auto, at most ' if spec.idle_auto else ''}{format_duration(spec.idle_s)}"
    )


def _cores(cores: CoreFigures | None) -> str:
    if cores is None:
        return "-"
    threads, most = cores.threads, cores.most_instances
    return (
        f"{threads} thread{'s' if threads > 1 else ''} an instance, "
        f"at most {most} instance{'s' if most > 1 else ''} ({cores.why})"
    )


def _instances(found: FunctionStatus) -> Table:
    from edgefn.text.quantities import format_bytes, format_duration

    rows = (
        (
            str(each.pid),
            each.state,
            f"{each.in_flight} in flight",
            f"age {format_duration(each.age_s)}",
            format_bytes(each.private_bytes or 0),
        )
        for each in found.instances
    )
    return _rows(rows)


def _artifacts(found: FunctionStatus) -> Table:
    from edgefn_cli.display import wording

    rows = (
        (
            each.model,
            each.target,
            each.backend,
            f"error {wording.error(each.error)}",
            f"top-1 {wording.share(each.top1)}",
            f"answers {each.answers}" if each.answers else "",
        )
        for each in found.artifacts
    )
    return _rows(rows, titles=2)


def _batching(found: FunctionStatus) -> Table:
    from edgefn.text.quantities import format_duration

    rows = (
        (
            each.model,
            {True: "on", False: "off", None: "not measured yet"}[each.on],
            _gain(each),
            f"at most {each.most_rows} rows, {format_duration(each.wait_s)}",
        )
        for each in found.batching
    )
    return _rows(rows)


def _gain(each: BatchingFigures) -> str:
    if each.gain is None or each.mean_rows is None:
        return ""
    return f"{each.gain:.2f} × the rows a second, {each.mean_rows:.1f} rows a run"


def _history(found: FunctionStatus) -> Table:
    from edgefn_cli.display import wording

    rows = (
        (
            wording.revision(each),
            wording.moment(each.deployed_at),
            "serves" if each.number == found.number else "",
        )
        for each in found.history
    )
    return _rows(rows)


def _rows(rows: Iterable[tuple[str, ...]], titles: int = 1) -> Table:
    from edgefn_cli.display.tables import RowTable

    found = list(rows)
    table = RowTable(*("" for _ in found[0]) if found else (), titles=titles)
    for row in found:
        table.add(*row)
    return table
