"""The box: its parts are taken apart in order."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edgefn_runtime.box import Box
from edgefn_runtime.settings import BoxSettings


def test_the_database_closes_after_the_last_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the supervisor measures and hands out as it stops is kept: it wrote into a closed database."""

    async def scenario() -> None:
        box = Box(BoxSettings(home=tmp_path / "home"))
        stop, kept = box.supervisor.stop, []

        async def stopping() -> None:
            kept.append(box.deployments.names())
            await stop()

        monkeypatch.setattr(box.supervisor, "stop", stopping)
        await box.stop()
        assert kept == [[]]

    asyncio.run(scenario())
