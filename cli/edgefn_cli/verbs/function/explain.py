"""`edgefn explain NAME`: why a function is served with the artifacts it is, and what would make it faster."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgefn_cli.display import output
from edgefn_cli.options import BoxOption, FunctionArgument, JsonOption

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.table import Table

    from edgefn.api.artifacts import ArtifactStatus
    from edgefn.api.explanations import Explanation

_LEFT = ("MODEL", "TARGET", "BACKEND", "STATE")
_RIGHT = ("RANK", "LATENCY", "RATIO", "ERROR", "LIMIT", "TOP-1", "BOUND", "FINISH", "LOAD", "SIZE")


def explain(name: FunctionArgument, box: BoxOption = None, as_json: JsonOption = False) -> None:
    """Explain which artifacts serve a function and why, with this box's figures, and what would make it faster.

    Example: edgefn explain classify_image
    """
    from edgefn_cli.boxes.reach import reach

    with reach(box) as client:
        found = client.explain(name)
    if as_json:
        output.result(found.json)
        return
    if not found.value.artifacts:
        output.line(f"{name} has no model")
        return
    output.draw(_table(found.value.artifacts))
    for line in _lines(found.value):
        output.line(line)


def _table(artifacts: list[ArtifactStatus]) -> Table:
    from edgefn_cli.display.tables import RowTable

    made = RowTable(*_LEFT, *_RIGHT, titles=2, right=_RIGHT)
    for each in artifacts:
        made.add(*_cells(each))
    return made


def _cells(each: ArtifactStatus) -> tuple[str, ...]:
    from edgefn.text.quantities import format_bytes, format_duration
    from edgefn_cli.display import wording

    def told(figure: float | None, words: Callable[[Any], str]) -> str:
        return "-" if figure is None else words(figure)

    return (
        *(each.model, each.target, each.backend, each.state),
        told(each.rank, str),
        told(each.latency_s, format_duration),
        told(each.ratio, lambda ratio: f"{ratio:.2f} × portable"),
        *(wording.error(each.error), wording.error(each.error_limit)),
        *(wording.share(each.top1), wording.share(each.top1_bound)),
        told(each.finish_s, format_duration),
        told(each.load_s, format_duration),
        told(each.size_bytes, format_bytes),
    )


def _lines(found: Explanation) -> list[str]:
    reasons = [f"{each.model} {each.target}: {each.reason}" for each in found.artifacts if each.reason]
    answers = [f"{each.model} {each.target}: {each.answers}" for each in found.artifacts if each.answers]
    told = [
        ("answers that match eager PyTorch's", answers),
        ("why not the others", reasons),
        ("what would make it faster", [each.text for each in found.advice]),
    ]
    lines = [found.changed] if found.changed else []
    if finishing := found.finishing:
        from edgefn_cli.display import wording

        lines.append(wording.finishing(finishing))
    for heading, entries in told:
        if entries:
            lines += ["", heading, *(f"- {entry}" for entry in entries)]
    return lines
