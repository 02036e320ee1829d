"""A model with `batch` on a real box: the answers are those of single calls, and status tells what batching gains."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from edgefn.api.functions import BatchingFigures
from tests.e2e.box import RunningBox
from tests.e2e.deadline import eventually

CALLERS, LAST = 8, 1023


def test_concurrent_calls_run_as_one_and_are_answered_right(deployed: Callable[[str], RunningBox]) -> None:
    """Eight callers, each answer that of its own call; once measured, `status` shows gain, batch, and on or off."""
    box = deployed("gathers")
    assert box.status("gathers").batching == [BatchingFigures("doubler", 8, 0.002)]

    def call(start: int) -> bool:
        return bool(box.call("gathers", start=start) == [2 * start + 1, 2 * (start + LAST) + 1])

    def measured() -> BatchingFigures | None:
        with ThreadPoolExecutor(CALLERS) as callers:
            assert all(callers.map(call, range(100)))
        (found,) = box.status("gathers").batching
        return found if found.on is not None else None

    found = eventually("batching was measured", measured, seconds=60)
    assert found is not None
    assert found.instances == 1
    assert 1 < (found.mean_rows or 0) <= 8
    assert (found.gain or 0) > 0
    assert found.on == ((found.gain or 0) >= 1.1)
