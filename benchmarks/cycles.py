"""Memory that does not come back: start, call and stop, a thousand times. BENCH_CYCLES sets how often."""

from __future__ import annotations

import os
from collections.abc import Iterator

from benchmarks import resident, stage
from benchmarks.figure import Figure
from benchmarks.stage import CLASSIFIER, ECHO, ONE, PHOTO
from tests.e2e.box import RunningBox
from tests.e2e.deadline import eventually

CYCLES = int(os.environ.get("BENCH_CYCLES", "1000"))
SHARE = 10
"""Every tenth cycle is of classify_image, the others of echo."""
BOUND_MB = 1.0
Held = tuple[float, float]


def measure() -> Iterator[Figure]:
    """MB of box and zygote after all cycles over what they held before a function first ran in them."""
    with stage.running(stage.workshop().of(CLASSIFIER), stage.workshop().of(ECHO)) as box:
        box.stop()  # deploying has run both; a box that starts anew has run none
        box.start()
        seen = dict(cycled(box, CYCLES))
    first, last = seen[0], seen[CYCLES]
    growth = " ".join(f"{count}: {sum(held) - sum(first):+.2f}" for count, held in seen.items())
    total = sum(last) - sum(first)
    yield Figure(f"held after {CYCLES:,} cycles", total, "MB", f"anonymous, box + zygote; by cycle {growth}", BOUND_MB)
    for place, name in enumerate(("box process", "zygote")):
        how = f"of it; {slope(seen, place):+.3f} MB for each 1,000 cycles in the second half"
        yield Figure(f"the {name}'s part", last[place] - first[place], "MB", how)


def cycled(box: RunningBox, cycles: int) -> Iterator[tuple[int, Held]]:
    """What box and zygote hold before the first cycle, after the last, and at some counts between."""
    echo, photo = stage.caller(box, ECHO, ONE), stage.caller(box, CLASSIFIER, PHOTO)
    for name in (ECHO, CLASSIFIER):
        box.stop_function(name)  # loads the admin API, which is not what is looked for
    looks = {0, *(cycles * part // 100 for part in (1, 10, 25, 50, 75, 100))}
    yield 0, held(box)
    for count in range(1, cycles + 1):
        name, call = (CLASSIFIER, photo) if count % SHARE == 0 else (ECHO, echo)
        call()
        box.stop_function(name)
        if count in looks:
            yield count, held(box)


def held(box: RunningBox) -> Held:
    """Anonymous MB of box and zygote, with no other process there."""
    eventually("only the zygote and its spare child are left", lambda: len(box.pids()) == 3)
    return resident.anonymous_mb(box.pid), resident.anonymous_mb(box.zygote().pid)


def slope(seen: dict[int, Held], place: int) -> float:
    """MB for each thousand cycles between the middle and the end: what goes on growing, without the first steps."""
    end = max(seen)
    middle = max(count for count in seen if count <= end / 2)
    return (seen[end][place] - seen[middle][place]) / (end - middle) * 1000
