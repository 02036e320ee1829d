"""What a process takes is read beside the event loop: /proc adds it up page by page."""

from __future__ import annotations

import asyncio
import os
import threading
from typing import Any

import pytest

from edgefn_runtime.supervisor import footprint


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
