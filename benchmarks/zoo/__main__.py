"""`make zoo`: build every network of the list, judge it, and write docs/networks.md.

    make zoo ZOO="--only torchvision --resume"      families, names or parts of them; on where the last run ended
    make zoo ZOO="--targets portable/fp32"          the portable artifact only, a third of the time
    make zoo ZOO=--render                           the table alone, from what was found before

Leaves with 1 when an artifact that the build let through gives wrong answers.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from benchmarks import machine
from benchmarks.zoo import catalogue, record, table, trial
from benchmarks.zoo.network import Network
from benchmarks.zoo.project import Form
from benchmarks.zoo.record import Record

RESULTS = Path(__file__).parent / "records.jsonl"
"""What was found so far: kept with the code, so that a run goes on where the last one ended."""
DOCUMENT = Path(__file__).parents[2] / "docs" / "networks.md"
LIMIT_S = 120.0
FORMS: tuple[Form, ...] = ("fixed", "free")


def main() -> int:
    """Run what the command line asks for; return the exit code."""
    options = _parser().parse_args()
    if not options.resume and not options.render:
        options.results.unlink(missing_ok=True)
    if not options.render:
        _run(options)
    records = record.read(options.results)
    options.document.write_text(table.render(records))
    print(table.summary(records))
    return 1 if any(any(one.wrongs()) for one in records) else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.zoo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="networks with it in name or family"
    )
    parser.add_argument("--form", choices=FORMS, help="fixed sizes only, or free ones only")
    parser.add_argument("--targets", action="append", metavar="NAME", help="instead of the portable and native ones")
    parser.add_argument("--limit", type=float, default=LIMIT_S, metavar="SECONDS", help="of a build, and of the oracle")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="networks at a time; over one, ratios are off")
    parser.add_argument("--resume", action="store_true", help="leave out what the results hold already")
    parser.add_argument("--render", action="store_true", help="build nothing, write the table")
    parser.add_argument("--results", type=Path, default=RESULTS, help="JSON lines")
    parser.add_argument("--document", type=Path, default=DOCUMENT, help="the table")
    return parser


def _run(options: argparse.Namespace) -> None:
    known = {(one.name, one.form) for one in record.read(options.results)}
    todo = [
        (network, form)
        for network in chosen(options.only)
        for form in FORMS
        if options.form in (None, form) and (network.name, form) not in known
    ]
    targets = options.targets or machine.targets()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edgefn-zoo-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        tried = [pool.submit(trial.attempt, *one, Path(folder), targets, options.limit) for one in todo]
        for number, done in enumerate(as_completed(tried), 1):
            found = done.result()
            record.append(options.results, found)
            print(f"{number}/{len(todo)} {time.monotonic() - began:.0f}s {_told(found)}", flush=True)


def chosen(only: Sequence[str]) -> list[Network]:
    """The networks whose name or family has one of the texts in it, all for none: the first of each family first."""
    wanted = [text.lower() for text in only]
    every = catalogue.networks()
    places = {one.name: [other.family for other in every[:place]].count(one.family) for place, one in enumerate(every)}
    found = [one for one in every if not wanted or any(text in f"{one.family} {one.name}".lower() for text in wanted)]
    return sorted(found, key=lambda one: places[one.name])


def _told(found: Record) -> str:
    wrong = ", ".join(found.wrongs())
    one = found.of("portable")
    judged = one.judged if one else None
    figures = f"error {judged.error}, other sizes {judged.other}" if judged else ""
    what = found.refusal or found.fault or (one.reason if one and not one.built else "") or figures
    return f"{found.name} ({found.form}) {found.seconds:.0f}s: {'WRONG ' + wrong + ' ' if wrong else ''}{what}"


if __name__ == "__main__":
    sys.exit(main())
