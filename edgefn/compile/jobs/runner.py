"""Runs compilers side by side within the machine's room, each within its time; none affects another.

Owns when a process starts and when it is ended. `edgefn.compile.jobs.capacity` decides how many there are.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgefn.compile.jobs.capacity import startable
from edgefn.compile.jobs.worker import CompilerExit, Worker, adopt_orphans, children, end_adopted

_LOOK_S = 0.5
"""How often the running compilers' memory is looked at."""


@dataclass(frozen=True)
class Task:
    """A compiler to run: the folder with its job, its log, and the memory that it is given room for."""

    folder: Path
    log: Path
    estimate_bytes: int


@dataclass(frozen=True)
class CompileLimits:
    """What the compilers may take together, and each one's time."""

    cores: int
    memory_bytes: int
    limit_s: float


def run(
    tasks: Sequence[Task], room: CompileLimits, started: Callable[[int], None]
) -> Generator[tuple[int, CompilerExit]]:
    """Run the tasks; yield each task's number and its exit when it ends.

    `started` is called with the number of each task that starts. No process is left when the generator is exhausted,
    closed or fails.
    """
    waiting = list(range(len(tasks)))
    running: dict[int, Worker] = {}
    adopt_orphans()
    known = children()  # a network's builder may have started some
    try:
        while waiting or running:
            sizes = [tasks[number].estimate_bytes for number in waiting]
            held = [tasks[number].estimate_bytes for number in running]
            for number in waiting[: (count := startable(sizes, held, room.cores, room.memory_bytes))]:
                running[number] = Worker(tasks[number].folder, tasks[number].log, room.limit_s)
                started(number)
            del waiting[:count]
            for number, ended in _ready(running):
                yield number, running.pop(number).end(ended=ended)
    finally:
        for worker in running.values():
            worker.end(ended=False)
        end_adopted(known)


def _ready(running: dict[int, Worker]) -> list[tuple[int, bool]]:
    """Wait a moment, then return the compilers that have ended (True) or are at their limit (False)."""
    with selectors.DefaultSelector() as selector:
        for number, worker in running.items():
            selector.register(worker, selectors.EVENT_READ, number)
            worker.look()
        soonest = min(worker.left_s() for worker in running.values())
        ended = {key.data for key, _ in selector.select(max(0.0, min(soonest, _LOOK_S)))}
    late = {number for number, worker in running.items() if worker.left_s() <= 0}
    return [(number, number in ended) for number in running if number in ended | late]
