"""The text of a scrape, made in a thread that leaves the interpreter to the event loop for most of the time.

A thread that works holds the interpreter for half a millisecond at a time, and the event loop asks for it at each of
its events: beside an encoder that goes through a hundred functions in one go, every request is late by milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

STEP = 32
"""Samples between two pauses."""
PAUSE = 4.0
"""So many times as long as a step took is the pause behind it."""


def encode(registry: Collector, accept: str) -> tuple[bytes, float]:
    """Return the text of `registry` and the processor seconds that it took. Blocks.

    The text is OpenMetrics where `accept` asks for it.
    """
    began = time.thread_time()
    encoder, _ = choose_encoder(accept)
    text = encoder(_Paced(registry))
    return text, time.thread_time() - began


class _Paced(Collector):
    """The families of another collector, with a pause after each, and within a large one."""

    def __init__(self, families: Collector) -> None:
        self._families = families
        self._resumed = 0.0

    def collect(self) -> Iterator[Metric]:
        self._resumed = time.thread_time()
        for family in self._families.collect():
            family.samples = self._samples(family.samples)  # type: ignore[assignment]  # encoders go through it once
            yield family
            self._pause()

    def _samples(self, samples: Iterable[Any]) -> Iterator[Any]:
        for number, sample in enumerate(samples, 1):
            yield sample
            if number % STEP == 0:
                self._pause()

    def _pause(self) -> None:
        time.sleep(PAUSE * (time.thread_time() - self._resumed))
        self._resumed = time.thread_time()
