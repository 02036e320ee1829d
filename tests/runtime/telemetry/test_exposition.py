"""The text of a scrape is the library's, made so that others have the interpreter meanwhile."""

from __future__ import annotations

import itertools
import time

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import choose_encoder

from edgefn_runtime.telemetry import exposition

OPEN_METRICS = "application/openmetrics-text; version=1.0.0"


def registry(series: int) -> CollectorRegistry:
    """Figures with so many series."""
    made = CollectorRegistry()
    counter = Counter("calls", "How many.", ["name"], registry=made)
    histogram = Histogram("seconds", "How long.", ["name"], registry=made)
    for number in range(series):
        counter.labels(f"n{number}").inc(number)
        histogram.labels(f"n{number}").observe(number / 7)
    return made


@pytest.mark.parametrize("accept", ["", OPEN_METRICS])
@pytest.mark.parametrize("series", [0, 1, exposition.STEP - 1, exposition.STEP, 200])
def test_the_text_is_the_librarys(accept: str, series: int) -> None:
    """Whatever is paused in the middle of it."""
    figures = registry(series)
    text, _ = exposition.encode(figures, accept)
    assert text == choose_encoder(accept)[0](figures)


def test_most_of_the_time_is_left_to_others() -> None:
    """Of the time that it takes, and of each part of it: no pause comes after more than a millisecond or two."""
    figures = registry(300)
    gaps, sleep = [time.thread_time()], time.sleep

    def paused(seconds: float) -> None:
        gaps.append(time.thread_time())
        sleep(seconds)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", paused)
        began = time.monotonic()
        _, spent_s = exposition.encode(figures, "")
        took_s = time.monotonic() - began
    assert took_s > exposition.PAUSE * spent_s
    assert len(gaps) > 300 * 17 / exposition.STEP
    assert sorted(after - before for before, after in itertools.pairwise(gaps))[-3] < 0.005
