"""What a process takes is read beside the event loop: /proc adds it up page by page."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest

from edgefn_runtime.telemetry.metrics import Metrics
from edgefn_runtime.workers import footprint
from tests.runtime.pool.bench import Bench, OnBench

SMALL = """
@edge_function
def f(n: int) -> int:
    return n + 1
"""


def test_it_is_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a start that measures, and by a status."""
    on_loop: list[bool] = []
    usual = footprint._sizes

    def noting(path: str) -> dict[str, int]:
        on_loop.append(threading.current_thread() is threading.main_thread())
        return usual(path)

    monkeypatch.setattr(footprint, "_sizes", noting)

    async def main() -> None:
        found = await footprint.measure(os.getpid())
        assert found is not None
        status: dict[str, Any] = {"template": {"pid": os.getpid()}, "instances": [{"pid": os.getpid()}]}
        shown = await footprint.with_footprints(status)
        assert shown["template"]["private_bytes"] > 1e6

    asyncio.run(main())
    assert len(on_loop) == 6
    assert not any(on_loop)


def test_whoever_wants_it_asks_a_thread(on_bench: OnBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts of a template and of instances, a retired one, a function's status, a scrape: never the event loop."""
    on_loop: list[bool] = []
    usual = footprint._sizes

    def noting(path: str) -> dict[str, int]:
        on_loop.append(threading.current_thread() is threading.main_thread())
        return usual(path)

    monkeypatch.setattr(footprint, "_sizes", noting)

    async def test(bench: Bench) -> None:
        await bench.deploy(SMALL, scale=(0, 2))
        await bench.template()
        assert await bench.ask(n=1) == 2
        await bench.until(lambda: bool(on_loop), "a start has measured")
        before = len(on_loop)
        await footprint.with_footprints(bench.supervisor.status("f"))
        assert len(on_loop) > before
        before = len(on_loop)
        await Metrics(bench.supervisor.statuses).scrape()
        assert len(on_loop) > before
        await bench.supervisor.stop_function("f")

    on_bench(test)
    assert not any(on_loop)
