"""The build report as a table for people. Pure but for rich; the JSON form is the compiler's own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from edgefn_cli import wording

if TYPE_CHECKING:
    from rich.table import Table


def table(artifacts: Iterable[Mapping[str, Any]]) -> Table:
    """One row for each artifact: its size, its distance from eager float32, and its speed against it."""
    from rich.table import Table
    from rich.text import Text

    from edgefn.quantities import format_bytes

    made = Table(box=None, pad_edge=False)
    for heading in ("MODEL", "TARGET", "BACKEND", "SIZE", "MAX ERROR", "TOP-1", "LATENCY"):
        made.add_column(heading, justify="left" if heading in ("MODEL", "TARGET", "BACKEND") else "right")
    for each in artifacts:
        ratio = each.get("latency_ratio")
        cells = (
            each["model"],
            each["target"],
            each["backend"],
            format_bytes(each["size_bytes"]),
            wording.error(each.get("max_error")),
            wording.share(each.get("top1")),
            "-" if ratio is None else f"{ratio:.2f} × eager",
        )
        made.add_row(*(Text(str(cell)) for cell in cells))
    return made
