"""Measures, prints a table, and writes benchmarks/results/latest.json. Leaves with 1 when a bound is missed."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.figure import Figure

SUBJECTS = ("import_time", "build_time", "cold_start", "memory", "throughput")
RESULTS = Path(__file__).parent / "results" / "latest.json"


def main() -> int:
    """Runs the subjects named on the command line, all by default."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"of {', '.join(SUBJECTS)}; all by default")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the JSON goes")
    wanted = parser.parse_args()
    if unknown := set(wanted.subjects) - set(SUBJECTS):
        parser.error(f"no subject {', '.join(sorted(unknown))}: choose from {', '.join(SUBJECTS)}")
    about, figures = machine.describe(), list(measured(wanted.subjects or SUBJECTS))
    Console().print(table(figures))
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    document = {"machine": about, "figures": [figure.as_json() for figure in figures]}
    wanted.output.write_text(json.dumps(document, indent=2) + "\n")
    print(f"{about['processor']}, {about['cores']} cores, load {about['load']} before; written to {wanted.output}")
    return 1 if any(figure.holds is False for figure in figures) else 0


def measured(subjects: tuple[str, ...] | list[str]) -> list[Figure]:
    """All figures of the subjects, each told on stderr as it comes."""
    figures: list[Figure] = []
    for subject in subjects:
        for figure in importlib.import_module(f"benchmarks.{subject}").measure():
            print(f"{figure.name}: {figure.value:.3g} {figure.unit}", file=sys.stderr)
            figures.append(figure)
    return figures


def table(figures: list[Figure]) -> Table:
    """A row for each figure, beside its bound."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading, justify in (("figure", "left"), ("measured", "right"), ("bound", "right"), ("", "left")):
        drawn.add_column(heading, justify="right" if justify == "right" else "left", no_wrap=True)
    drawn.add_column("of what", style="dim", overflow="fold")
    for figure in figures:
        sign = "<=" if figure.better == "less" else ">="
        bound = "" if figure.bound is None else f"{sign} {figure.bound:g} {figure.unit}"
        verdict = {None: "", True: "[green]ok[/]", False: "[bold red]miss[/]"}[figure.holds]
        drawn.add_row(figure.name, f"{figure.value:,.4g} {figure.unit}", bound, verdict, figure.how)
    return drawn


if __name__ == "__main__":
    sys.exit(main())
