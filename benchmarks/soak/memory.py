"""Memory over a soak: samples by the number of requests so far, and the slope of the line through them."""

from __future__ import annotations

import contextlib
import statistics
import threading
from collections.abc import Callable

from tests.e2e.box import RunningBox
from tests.e2e.processes import anonymous_bytes, held_bytes, zygote_of

EVERY_S = 1.0
PER = 100_000
WARM = 0.2
"""The first share of the samples is not looked at: instances start, caches and arenas fill."""


class Sampler:
    """Looks each second, in a thread, until `stop`. MB are 10^6 bytes of no file; in the sum of all, by share."""

    def __init__(self, box: RunningBox, requests: Callable[[], int]) -> None:
        self._box, self._requests = box, requests
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory")
        self.samples: list[tuple[int, dict[str, float]]] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(EVERY_S):
            with contextlib.suppress(OSError):
                self.samples.append((self._requests(), self._look()))

    def _look(self) -> dict[str, float]:
        zygote = zygote_of(self._box.pid)
        found = {
            "box": anonymous_bytes(self._box.pid),
            "zygote": anonymous_bytes(zygote.pid) if zygote is not None else 0,
        }
        found["all processes"] = 0
        for pid in self._box.pids():
            with contextlib.suppress(OSError):  # it ended meanwhile
                found["all processes"] += held_bytes(pid)
        return {whose: size / 1e6 for whose, size in found.items()}

    def slope(self, whose: str) -> tuple[float, float, float]:
        """MB for each PER requests, by least squares; and the first and last MB that it goes by. Zeros are left out."""
        points = [(at, sizes[whose]) for at, sizes in self.samples[int(len(self.samples) * WARM) :] if sizes[whose]]
        if len(points) < 3 or points[0][0] == points[-1][0]:
            return 0.0, 0.0, 0.0
        line = statistics.linear_regression([at for at, _ in points], [size for _, size in points])
        return line.slope * PER, points[0][1], points[-1][1]
