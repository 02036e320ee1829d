"""What is finished behind deployed functions: it is told as long as it comes, and told to be given up when it is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import DiskFull
from edgefn.targets.needs import Needs
from edgefn_runtime.artifacts.artifact_status import Chain, Finishing, links
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.deployment import background
from edgefn_runtime.progress import DeploymentProgress
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import StoreBox, finish_in_memory, opened, until

FAST = ArtifactEntry("linear", "x86-64-v3/fp32", "onnxruntime")
BOTH = (bundles.PORTABLE, FAST)


class Held:
    """Finishes portable artifacts at once; each other one when it is let, or never: with `fails`."""

    def __init__(self, fails: Exception | None = None) -> None:
        self.begun: list[Path] = []
        self.gate = asyncio.Semaphore(0)
        self.fails = fails

    async def __call__(self, order: FinishOrder, progress: DeploymentProgress) -> None:
        if bundles.PORTABLE.path not in order.artifacts:
            self.begun.append(order.bundle)
            if self.fails is not None:
                raise self.fails
            await self.gate.acquire()
        await finish_in_memory(order, progress)


def _chain(box: StoreBox) -> Chain:
    found = box.deployments.chains.of("scale")
    assert found is not None
    return found


def test_what_was_given_up_is_told_with_the_reason(tmp_path: Path) -> None:
    """A full disk is no fault of the artifact's: it is not called broken, nor on its way for ever."""

    async def scenario() -> None:
        async with opened(tmp_path / "home", finisher=Held(DiskFull("no room on the disk"))) as box:
            await box.deploy(bundles.with_model(tmp_path, artifacts=BOTH))
            await box.deployments.settled()
            chain = _chain(box)
            link = {one.target: one for one in links(chain)}[FAST.target]
            assert (chain.finishing, link.state) == (None, "unfinished")
            assert link.reason == "no room on the disk; tried again when the box starts, or at a deployment"

    asyncio.run(scenario())


def test_no_artifact_is_begun_while_requests_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told to be on its way; it begins when the last request has its instance, or has been put off for long."""

    async def scenario(home: Path, *, calm: bool) -> None:
        finisher = Held()
        finisher.gate.release()
        async with opened(home, finisher=finisher) as box:
            box.host.waiting = 1
            assert (await box.deploy(bundles.with_model(tmp_path, artifacts=BOTH)))["finishing"] == 1
            if calm:
                await until(lambda: box.host.asked > 1, "it has looked twice whether requests wait")
                assert (finisher.begun, _chain(box).finishing) == ([], Finishing(1, 2))
                box.host.waiting = 0
            await box.deployments.settled()
            assert len(finisher.begun) == 1

    asyncio.run(scenario(tmp_path / "calm", calm=True))
    monkeypatch.setattr(background, "CALM_S", 0.0)
    asyncio.run(scenario(tmp_path / "never", calm=False))


def test_a_newer_revision_is_on_its_way_while_others_come_first(tmp_path: Path) -> None:
    """What the revision before was on is given up, and another function may come first: it does not look done."""

    async def scenario() -> None:
        finisher = Held()
        async with opened(tmp_path / "home", finisher=finisher) as box:
            await box.deploy(bundles.with_model(tmp_path, artifacts=BOTH))
            await until(lambda: len(finisher.begun) == 1, "the first revision's is on its way")
            await box.deploy(bundles.with_model(tmp_path, "other", artifacts=BOTH, truth=3.0))
            await box.deploy(bundles.with_model(tmp_path, artifacts=BOTH, truth=2.0))
            await until(lambda: len(finisher.begun) == 2, "the other function's is on its way, or the newer revision's")
            told = _chain(box).finishing
            assert told is not None
            assert (told.done, told.total) == (1, 2)
            finisher.gate.release()
            await until(lambda: len(finisher.begun) == 3, "both are on their way or done")
            finisher.gate.release()
            await box.deployments.settled()
            assert _chain(box).finishing is None

    asyncio.run(scenario())


def test_functions_take_turns(tmp_path: Path) -> None:
    """One whose artifacts take for ever, each up to its limit, does not have the others wait until all are tried."""
    many = tuple(ArtifactEntry("linear", f"native{n}/fp32", "onnxruntime", needs=Needs()) for n in range(3))

    async def scenario() -> None:
        finisher = Held()
        async with opened(tmp_path / "home", finisher=finisher) as box:
            await box.deploy(bundles.with_model(tmp_path, "slow", artifacts=(bundles.PORTABLE, *many)))
            await until(lambda: len(finisher.begun) == 1, "its first one is on its way")
            await box.deploy(bundles.with_model(tmp_path, "other", artifacts=BOTH, truth=3.0))
            await until(lambda: (chain := box.deployments.chains.of("other")) and chain.finishing, "the other's wait")
            for _ in range(4):
                finisher.gate.release()
            await box.deployments.settled()
            slow, other = (box.deployments.current(name) for name in ("slow", "other"))
            assert slow is not None
            assert other is not None
            assert finisher.begun == [slow.folder, other.folder, slow.folder, slow.folder]
            assert all(
                (chain := box.deployments.chains.of(name)) and chain.finishing is None for name in ("slow", "other")
            )

    asyncio.run(scenario())
