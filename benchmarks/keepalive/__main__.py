"""Replays each trace with each policy, prints a table, writes JSON. Leaves with 1 when auto is not better on each."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.keepalive.simulation import POLICIES, Cost, replay
from benchmarks.keepalive.traces import TRACES

RESULTS = Path(__file__).parents[1] / "results" / "keepalive.json"
DAY = 86_400.0

Costs = dict[str, dict[str, Cost]]


def main() -> int:
    """Replays all traces."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.keepalive", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=float, default=7.0, help="length of each trace")
    parser.add_argument("--output", type=Path, default=RESULTS, help="where the JSON goes")
    wanted = parser.parse_args()
    costs = replayed(wanted.seed, wanted.days * DAY)
    Console().print(table(costs))
    wanted.output.parent.mkdir(parents=True, exist_ok=True)
    traces = {trace: {name: dataclasses.asdict(cost) for name, cost in of.items()} for trace, of in costs.items()}
    document = {"seed": wanted.seed, "days": wanted.days, "traces": traces}
    wanted.output.write_text(json.dumps(document, indent=2) + "\n")
    return 0 if all(better(of) for of in costs.values()) else 1


def replayed(seed: int, duration_s: float) -> Costs:
    """The cost of every policy on every trace."""
    made = {name: make(seed, duration_s) for name, make in TRACES.items()}
    return {name: {each: replay(trace, policy) for each, policy in POLICIES.items()} for name, trace in made.items()}


def better(costs: dict[str, Cost]) -> bool:
    """Fewer cold starts than fixed 60 s, and fewer memory-seconds than fixed 10 min."""
    auto = costs["auto"]
    return auto.cold_starts < costs["fixed 60 s"].cold_starts and auto.memory_s < costs["fixed 10 min"].memory_s


def table(costs: Costs) -> Table:
    """A row for each trace and policy."""
    drawn = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("trace", "policy"):
        drawn.add_column(heading, no_wrap=True)
    for heading in ("requests", "cold starts", "memory-seconds", "share"):
        drawn.add_column(heading, justify="right", no_wrap=True)
    for trace, of in costs.items():
        most = of["fixed 10 min"].memory_s
        for policy, cost in of.items():
            figures = (f"{cost.requests:,}", f"{cost.cold_starts:,}", f"{cost.memory_s:,.0f}")
            drawn.add_row(trace, policy, *figures, f"{cost.memory_s / most:.1%}")
    return drawn


if __name__ == "__main__":
    sys.exit(main())
