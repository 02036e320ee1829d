"""A soak. Leaves with 1 when an answer was lost or wrong, or a function does not answer when it is over.

Lost answers, wrong answers, errors by cause, faults by kind, requests a second, and the slope of memory.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvloop

from benchmarks import machine
from benchmarks.soak import clients
from benchmarks.soak.clients import Tally
from benchmarks.soak.memory import PER, Sampler
from benchmarks.soak.requests import WEIGHTS, Exchange, mix
from edgefn.bundle.oci.layout import Bundle
from tests.e2e.box import RunningBox
from tests.e2e.bundles import EXAMPLES, Bundles
from tests.e2e.deadline import eventually
from tests.e2e.faults import EVERYTHING, Injector

CROWD = 16
FAULT_EVERY_S = 0.25
TIMEOUT_S = 5.0


def main() -> int:
    """Soaks a box as the command line says, and tells what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000, help="how many in all (1000000)")
    parser.add_argument("--minutes", type=float, default=math.inf, help="at most so long")
    parser.add_argument("--seed", type=int, default=1, help="of the faults and of the mix (1)")
    parser.add_argument("--no-faults", action="store_true", help="only the load")
    wanted = parser.parse_args()
    with soaked() as (box, again):
        faults = {} if wanted.no_faults else EVERYTHING
        return soak(box, again, wanted.seed, wanted.requests, wanted.minutes * 60, faults)


@contextmanager
def soaked() -> Iterator[tuple[RunningBox, list[Bundle]]]:
    """A box with the functions of the mix, and bundles of the same behaviour to deploy meanwhile."""
    with tempfile.TemporaryDirectory(prefix="edgefn-soak-") as folder:
        bundles = Bundles(Path(folder))
        code = (EXAMPLES / "echo" / "echo.py").read_text(encoding="utf-8")
        first = {name: patient(bundles, name) for name in WEIGHTS}
        other = bundles.with_code("echo", f"{code}\n# once more\n", title="echo-again")
        with RunningBox(Path(folder) / "box") as box:
            for bundle in first.values():
                box.deploy(bundle)
            yield box, [other, first["echo"], first["digest"]]


def patient(bundles: Bundles, name: str) -> Bundle:
    """The function with one timeout for all: a stopped instance is to cost its own request and no queue."""
    config = bundles.of(name).config
    function = msgspec.structs.replace(config.function, timeout_s=TIMEOUT_S, queue=200)
    return bundles.with_config(name, msgspec.structs.replace(config, function=function), title=f"patient-{name}")


def soak(box: RunningBox, again: list[Bundle], seed: int, requests: int, seconds: float, faults: dict[str, int]) -> int:
    """Asks and breaks; 1 when an answer was lost or wrong, or a function does not answer in the end."""
    about = machine.describe()
    print(f"{about['processor']}, {about['cores']} cores, load {about['load']} before; seed {seed}", file=sys.stderr)
    exchanges, tally = mix(box, seed), Tally()
    sampler = Sampler(box, tally.asked.total)
    injector = Injector(box, seed, list(WEIGHTS), faults or {"look": 1}, every_s=FAULT_EVERY_S, bundles=again)
    began = time.monotonic()
    sampler.start()
    try:
        with injector:
            asyncio_run(box, exchanges, tally, requests, seconds)
    finally:
        sampler.stop()
    took = time.monotonic() - began
    report(tally, injector, sampler, took)
    answers_again(box, exchanges)
    return 1 if tally.lost or tally.wrong else 0


def asyncio_run(box: RunningBox, exchanges: Iterator[Exchange], tally: Tally, requests: int, seconds: float) -> None:
    """The load, on a loop of its own."""

    async def load() -> None:
        until = asyncio.get_running_loop().time() + seconds
        told = asyncio.create_task(progress(tally, requests))
        await clients.run(box, exchanges, tally, requests, until, CROWD)
        told.cancel()

    uvloop.run(load())


async def progress(tally: Tally, requests: int) -> None:
    """A line each ten seconds."""
    while True:
        await asyncio.sleep(10)
        lost, wrong = len(tally.lost), len(tally.wrong)
        print(f"{tally.asked.total():,} of {requests:,} asked, {lost} lost, {wrong} wrong", file=sys.stderr, flush=True)


def answers_again(box: RunningBox, exchanges: Iterator[Exchange]) -> None:
    """Every function answers right when the faults are over; fails when one does not."""
    tally = Tally()

    def all_right() -> bool:
        asyncio_run(box, itertools.islice(exchanges, 10_000), tally, tally.asked.total() + 200, 30)
        return tally.right.keys() == WEIGHTS.keys()

    eventually("every function answers right after the faults", all_right, seconds=60)


def report(tally: Tally, injector: Injector, sampler: Sampler, took: float) -> None:
    """All of it, to stdout."""
    asked, right = tally.asked.total(), tally.right.total()
    print(f"requests          {asked:,} in {took:.0f} s: {asked / took:,.0f}/s; {dict(tally.asked)}")
    print(f"answered right    {right:,}")
    print(f"lost answers      {len(tally.lost)} (bound: 0) {tally.lost[:5] or ''}")
    print(f"wrong answers     {len(tally.wrong)} (bound: 0) {tally.wrong[:5] or ''}")
    print(f"told an error     {tally.causes.total():,}")
    for cause, count in tally.causes.most_common():
        print(f"  {count:>6,}  {cause}")
    counts = injector.counts()
    print(f"faults            {counts.total():,}: " + ", ".join(f"{kind} {n}" for kind, n in counts.most_common()))
    for whose in ("box", "zygote", "all processes"):
        slope, first, last = sampler.slope(whose)
        print(
            f"memory, {whose:<13} {slope:+.2f} MB for {PER:,} requests ({first:.1f} MB at first, {last:.1f} MB at last)"
        )


if __name__ == "__main__":
    sys.exit(main())
