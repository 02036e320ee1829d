"""`make operators`: screen every operator of PyTorch, and write docs/operators.md.

    make operators OPERATORS="--only atan2 --only remainder"      some of them, printed
    make operators OPERATORS="--resume"                           on where the last run ended

Leaves with 1 when an operator gives wrong answers.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import msgspec

from benchmarks.operators import calls, known, table
from benchmarks.operators.screen import Outcome, screened

RESULTS = Path(__file__).parent / "outcomes.jsonl"
DOCUMENT = Path(__file__).parents[2] / "docs" / "operators.md"
LIMIT_S = 300


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    options = _parser().parse_args()
    results: Path = options.results
    if not (options.resume or options.render or options.only):
        results.unlink(missing_ok=True)
    if not options.render:
        _run(options)
    outcomes = list(read(results))
    if not options.only:
        options.document.write_text(table.render(outcomes, names()))
    print(table.summary(outcomes))
    return 1 if any(one.state == "wrong" for one in outcomes) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.operators", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="these, wildcards allowed")
    parser.add_argument("--calls", type=int, default=3, metavar="N", help="of each operator, of each dtype")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="operators at a time")
    parser.add_argument("--resume", action="store_true", help="leave out what the results hold already")
    parser.add_argument("--render", action="store_true", help="screen nothing, write the table")
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON lines")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="the table")
    return parser


def read(results: Path) -> Iterator[Outcome]:
    """Yield the outcomes that a file holds, the last of each call."""
    lines = results.read_bytes().splitlines() if results.exists() else []
    found = [msgspec.json.decode(line, type=Outcome) for line in lines]
    yield from {(one.operator, one.call, one.dtype, one.free): one for one in found}.values()


def names() -> list[str]:
    """Return the operators that are screened."""
    return [name for name in calls.operators() if not known.reason(name)]


def _run(options: argparse.Namespace) -> None:
    """Screen each operator in a process of its own: an engine's crash, or an endless run, costs that alone."""
    done = {one.operator for one in read(options.results)} if options.resume else set()
    todo = [name for name in names() if name not in done and (not options.only or _is_asked_for(name, options.only))]
    running: dict[int, str] = {}
    for number, name in enumerate(todo, 1):
        if len(running) >= options.jobs:
            _ended(running, options.results)
        running[_start(name, options)] = name
        print(f"{number}/{len(todo)} {name}", file=sys.stderr, flush=True)
    while running:
        _ended(running, options.results)


def _is_asked_for(name: str, only: list[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in only)


def _start(name: str, options: argparse.Namespace) -> int:
    child = os.fork()
    if child:
        return child
    signal.alarm(LIMIT_S)
    try:
        for one in outcomes(name, options.calls):
            append(options.results, one)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def outcomes(name: str, most: int) -> Iterator[Outcome]:
    """Yield what becomes of an operator's calls, with their sizes fixed and free."""
    operator = calls.operators()[name]
    for dtype in calls.DTYPES:
        for call in calls.calls(operator, dtype, most):
            for free in (False, True):
                if one := screened(name, call, dtype, free=free):
                    yield one


def _ended(running: dict[int, str], results: Path) -> None:
    child, status = os.wait()
    if (name := running.pop(child, "")) and status:
        why = f"the screening ended with {os.waitstatus_to_exitcode(status)}"
        append(results, Outcome(operator=name, call="", dtype="", free=False, state="refused", why=why))


def append(results: Path, outcome: Outcome) -> None:
    """Write an outcome down, and show what is wrong."""
    with results.open("ab") as file:
        file.write(msgspec.json.encode(outcome) + b"\n")
    for numbers, what in outcome.wrong.items():
        print(f"  {outcome.operator}({outcome.call}), {numbers}: {what}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
