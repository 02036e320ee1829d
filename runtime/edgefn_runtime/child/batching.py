"""Decisions about batching: when gathered calls run, which of them, and whether it pays.

Pure: no thread, no lock, no clock. `BatchingTrial` compares batched with single runs of the same calls by what callers
see: rows a second while at least one call is inside. So the costs of batching count (waiting, copying, one run at a
time), and so does what single runs gain from several cores.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from edgefn.spec import Batching

RETURN = 0.5
"""How long to wait for callers that were active recently, as a fraction of the last run: at worst it costs a third of
the rate. With eight callers that return 0.7 ms after their answers: 7 rows a run, not 4, and 10 to 25 % more rows/s."""
GAIN = 1.1
"""Batched runs stay only if they are a tenth faster: less is noise, and a single call then never waits."""
TURNS = 6
"""Turns of a trial, batched and single by turns. The first of each is not counted: the first runs are the slowest."""
TURN_S = 0.05
TURN_ROWS = 32
SETTLED = 20
"""A decision holds this many times as long as its trial: half of a trial runs the slower way, 2.5 % of the time."""


class Gathered(NamedTuple):
    """Calls that wait to be run as one.

    rows        of the oldest call and those of its kind
    waited_s    by the oldest of them
    since_s     since gathering began: before that, another run was on
    outside     calls that are in their handler and not in the model
    missing     how many fewer calls are inside the instance than lately
    run_s       what the last run took
    """

    rows: int
    waited_s: float
    since_s: float
    outside: int
    missing: int
    run_s: float


def wait_s(gathered: Gathered, batching: Batching) -> float:
    """Return for how many more seconds the gathered calls wait for others; 0 when they are to run now.

    They run when they are enough, when the oldest has waited for its time, or when no other call can join. Callers that
    were active lately may be about to call again: the batch waits for them, for a part of what the last run took.
    """
    if gathered.rows >= batching.rows:
        return 0.0
    if gathered.outside > 0:
        return max(0.0, batching.wait_s - gathered.waited_s)
    if gathered.missing > 0:
        return max(0.0, min(batching.wait_s, RETURN * gathered.run_s) - gathered.since_s)
    return 0.0


class Waiting(NamedTuple):
    """A call that waits: only those of equal `kind` can be run together."""

    kind: Hashable
    rows: int


def batch_of(waiting: Sequence[Waiting], most_rows: int) -> list[int]:
    """Return the places of the calls that run next.

    They are the oldest call, and the later ones of its kind, in order, as long as they fit into `most_rows`.
    """
    chosen: list[int] = []
    rows = 0
    for place, call in enumerate(waiting):
        if call.kind != waiting[0].kind:
            continue
        if chosen and rows + call.rows > most_rows:
            break
        chosen.append(place)
        rows += call.rows
    return chosen


@dataclass(frozen=True)
class Tally:
    """Calls that were run one way: their rows, their runs, and the seconds in which at least one of them was inside."""

    rows: int = 0
    runs: int = 0
    busy_s: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.rows + other.rows, self.runs + other.runs, self.busy_s + other.busy_s)


class Verdict(NamedTuple):
    """A trial's result: whether calls are batched from now on, the mean batch in rows, the gain in rows a second."""

    on: bool
    rows: float
    gain: float


class BatchingTrial:
    """Trials of batched and single runs in turn; after each, the better way for a while."""

    def __init__(self) -> None:
        self.verdict: Verdict | None = None
        self._begin()

    def _begin(self) -> None:
        self._turn = 0
        self._tallies = {True: Tally(), False: Tally()}
        self._spent_s = 0.0

    @property
    def batched(self) -> bool:
        """Tell whether calls are batched in this turn."""
        if self._settled and self.verdict is not None:
            return self.verdict.on
        return self._turn % 2 == 0

    @property
    def _settled(self) -> bool:
        return self._turn >= TURNS

    def ends(self, tally: Tally) -> bool:
        """Tell whether the turn, in which `tally` was run, is over; if so, begin the next one."""
        if self._settled:
            if tally.busy_s < SETTLED * self._spent_s:
                return False
            self._begin()
            return True
        if tally.busy_s < TURN_S or tally.rows < TURN_ROWS:
            return False
        self._count(tally)
        return True

    def _count(self, tally: Tally) -> None:
        if self._turn >= 2:
            self._tallies[self.batched] += tally
        self._spent_s += tally.busy_s
        self._turn += 1
        if self._settled:
            self.verdict = judge(self._tallies[True], self._tallies[False])


def judge(batched: Tally, single: Tally) -> Verdict:
    """Decide which way was better, from runs of both."""
    gain = (batched.rows / batched.busy_s) / (single.rows / single.busy_s)
    return Verdict(gain >= GAIN, batched.rows / batched.runs, gain)


class TrialClock:
    """A trial that hears of each call that comes and of each run that ends. `now` is in seconds, of one clock.

    A turn is measured only after the last call of the turn before it has left, so that neither counts the other's work.
    """

    def __init__(self) -> None:
        self._trial = BatchingTrial()
        self._turn = 0
        self._of_before = 0
        self.inside = 0
        self._restart(0.0)

    def _restart(self, now: float) -> None:
        self._rows = self._runs = 0
        self._busy_s = 0.0
        self._busy_since = now

    @property
    def batched(self) -> bool:
        """Tell whether a call that comes now is batched."""
        return self._trial.batched

    def came(self, now: float) -> int:
        """Count a call into the model; return the turn that it came in."""
        if self.inside == 0:
            self._busy_since = now
        self.inside += 1
        return self._turn

    def went(self, run: Sequence[tuple[int, int]], now: float) -> Verdict | None:
        """Count the calls of a finished run, (turn, rows) each, out of the model.

        Returns the verdict when this run ended a trial.
        """
        self.inside -= len(run)
        if self._of_before:
            self._of_before -= sum(turn != self._turn for turn, _ in run)
            if not self._of_before:
                self._restart(now)
            return None
        self._rows += sum(rows for _, rows in run)
        self._runs += 1
        busy_s = self._busy_s + now - self._busy_since
        if self.inside == 0:
            self._busy_s = busy_s
        return self._end_turn(Tally(self._rows, self._runs, busy_s), now)

    def _end_turn(self, tally: Tally, now: float) -> Verdict | None:
        known = self._trial.verdict
        if not self._trial.ends(tally):
            return None
        self._turn += 1
        self._of_before = self.inside
        self._restart(now)
        return self._trial.verdict if self._trial.verdict is not known else None
