"""The classifier over HTTP with the artifact that its box found to be the best, beside float32, in turns."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks import beside, stage, wrk
from benchmarks.figure import Figure, median, ratio
from benchmarks.stage import CLASSIFIER, PHOTO
from edgefn.api.functions import FunctionStatus
from tests.e2e.box import RunningBox
from tests.e2e.deadline import eventually

INSTANCES = 2
RATE = 1.25
FINISHED_S = 120.0


def measure() -> Iterator[Figure]:
    """Requests a second at 16 connections, two instances each; nothing without wrk."""
    if why := wrk.missing():
        print(f"no best artifact: {why}", file=sys.stderr)
        return
    chain = stage.scaled(CLASSIFIER, INSTANCES, INSTANCES, natively=True)
    plain = stage.scaled(CLASSIFIER, INSTANCES, INSTANCES)
    with stage.running(chain) as best, stage.running(plain) as float32:
        served = settled(best)
        servers = [(f"{box.url}/fn/{CLASSIFIER}", box.pid) for box in (best, float32)]
        ours, theirs = beside.taken(servers, PHOTO)
        how = f"{served}; wrk, {wrk.CONNECTIONS} connections, {beside.ROUNDS} rounds of {beside.SECONDS} s in turns"
        yield median(f"{CLASSIFIER}, best artifact", [one.rate for one in ours], "/s", how)
        yield median(f"{CLASSIFIER}, float32", [one.rate for one in theirs], "/s", "portable/fp32, the same")
        rates = [one.rate for one in ours], [one.rate for one in theirs]
        yield ratio(f"{CLASSIFIER}, best / float32", *rates, how=served, bound=RATE, better="more")


def settled(box: RunningBox) -> str:
    """The target that serves when nothing is being finished any more, and all instances are of it."""
    status = eventually("the artifacts are finished", lambda: _finished(box), seconds=FINISHED_S)
    assert status is not None
    (served,) = status.artifacts
    return served.target


def _finished(box: RunningBox) -> FunctionStatus | None:
    status = box.status(CLASSIFIER)
    return None if status.finishing else status
