"""The box: its own files, and its parts, which are taken apart in order."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edgefn.errors import DiskFull
from edgefn_runtime.box import Box
from edgefn_runtime.settings import BoxSettings
from tests.runtime.store.faults import FaultyDisk


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


def test_a_token_that_the_disk_does_not_take_is_told(tmp_path: Path) -> None:
    """The home's own token stays what it is, in its file and for who has it; there is a new one when there is room."""

    async def scenario() -> None:
        box = Box(BoxSettings(home=tmp_path / "home"))
        tokens, file, disk = box.doors.tokens, tmp_path / "home" / "token", FaultyDisk()
        box.home.disk = disk
        before = file.read_text()
        disk.arm(1, "full")
        with pytest.raises(DiskFull, match="no space left on the disk for the first token"):
            await tokens.rotate("home")
        assert file.read_text() == before
        assert tokens.find(before.strip().encode()) is not None
        _, value = await tokens.rotate("home")
        assert file.read_text() == f"{value}\n"
        assert tokens.find(before.strip().encode()) is None
        await box.stop()

    asyncio.run(scenario())
