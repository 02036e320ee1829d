"""Measures, prints a table, and writes benchmarks/results/latest.json. Leaves with 1 when a bound is missed.

BENCH_CYCLES=N in the environment: so many cycles instead of a thousand.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.figure import Figure

Figures = dict[str, list[Figure]]

SUBJECTS = {
    "import_time": "import",
    "build_time": "build",
    "artifacts": "one model in every form",
    "every_target": "other models in every form",
    "cold_start": "from nothing, and warm",
    "further": "further instances",
    "first_answer": "a box that starts",
    "best": "the best artifact, under load",
    "throughput": "next to no work, under load",
    "hostile": "beside clients that mean harm",
    "photos": "real work, under load",
    "batching": "calls run as one",
    "idle": "memory, idle",
    "cycles": "memory that comes back",
}
"""The modules, with what the table says above their rows."""
RESULTS = Path(__file__).parent / "results" / "latest.json"
WIDTH = 150
"""Where there is no terminal to ask: a row of the table on a line or two."""


def main() -> int:
    """Runs the subjects named on the command line, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(SUBJECTS)}; all by default")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the JSON goes")
    wanted = parser.parse_args()
    if unknown := set(wanted.subjects) - set(SUBJECTS):
        parser.error(f"no subject {', '.join(sorted(unknown))}: choose from {', '.join(SUBJECTS)}")
    began, about = time.monotonic(), machine.describe()
    figures = {subject: list(measured(subject)) for subject in wanted.subjects or SUBJECTS}
    Console(width=None if sys.stdout.isatty() else WIDTH).print(table(figures))
    about |= {"load_after": machine.load(), "took_s": round(time.monotonic() - began)}
    write(wanted.output, about, figures)
    loads = f"load {about['load']} before, {about['load_after']} after"
    print(f"{about['processor']}, {about['cores']} cores, {loads}, {about['took_s']} s; written to {wanted.output}")
    return 1 if any(figure.holds is False for of in figures.values() for figure in of) else 0


def measured(subject: str) -> Iterator[Figure]:
    """All figures of a subject, each told on stderr as it comes; one that fails is a miss in its place."""
    try:
        for figure in importlib.import_module(f"benchmarks.{subject}").measure():
            print(f"{figure.name}: {figure.value:.3g} {figure.unit}", file=sys.stderr)
            yield figure
    except Exception as error:  # the other subjects' figures are wanted all the same
        traceback.print_exc()
        yield Figure(f"FAILED: {subject}", 1, "failure", f"{type(error).__name__}: {error}", 0)


def write(path: Path, about: dict[str, Any], figures: Figures) -> None:
    """The figures as JSON, each with its subject."""
    rows = [{"subject": subject} | figure.as_json() for subject, of in figures.items() for figure in of]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": about, "figures": rows}, indent=2) + "\n")


def table(figures: Figures) -> Table:
    """A row for each figure, beside its bound, below its subject."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    drawn.add_column("figure", no_wrap=True)
    drawn.add_column("measured", justify="right", no_wrap=True)
    drawn.add_column("bound", justify="right", no_wrap=True)
    drawn.add_column("")
    drawn.add_column("of what", style="dim", overflow="fold")
    for subject, of in figures.items():
        drawn.add_row(f"[bold]{SUBJECTS[subject]}[/] [dim]{subject}[/]")
        for figure in of:
            drawn.add_row(*row(figure))
    return drawn


def row(figure: Figure) -> tuple[str, str, str, str, str]:
    """What stands in the table's columns."""
    sign = "<=" if figure.better == "less" else ">="
    bound = "" if figure.bound is None else f"{sign} {figure.bound:g} {figure.unit}"
    verdict = {None: "", True: "[green]ok[/]", False: "[bold red]miss[/]"}[figure.holds]
    return f"  {figure.name}", f"{figure.value:,.4g} {figure.unit}", bound, verdict, figure.how


if __name__ == "__main__":
    sys.exit(main())
