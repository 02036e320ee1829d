"""The chain: a function lives on its portable artifact, the others are finished behind it, what breaks is replaced."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import DeploymentRefused, DiskFull
from edgefn_runtime import fingerprint
from edgefn_runtime.artifacts import proof
from edgefn_runtime.artifacts.artifact_status import Chain, Link, links
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.deployment import chains
from edgefn_runtime.progress import DeploymentProgress
from edgefn_runtime.store.revision import Revision
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import StoreBox, finish_in_memory, opened, until

MIDDLE = ArtifactEntry("linear", "x86-64-v2/fp32", "onnxruntime")
FAST = ArtifactEntry("linear", "x86-64-v3/fp32", "onnxruntime")
OTHERS = ArtifactEntry("linear", "rk3588/int8", "rknn")
ALL = (bundles.PORTABLE, MIDDLE, FAST)


class Slow:
    """Finishes the portable artifact at once, each other one when it is let, and `fails` those of some paths."""

    def __init__(self, **fails: Exception) -> None:
        self.finished: list[str] = []
        self.gate = asyncio.Semaphore(0)
        self.fails: dict[str, Exception] = fails

    def let(self, count: int) -> None:
        """So many more artifacts may be finished."""
        for _ in range(count):
            self.gate.release()

    async def __call__(self, order: FinishOrder, progress: DeploymentProgress) -> None:
        self.finished += order.artifacts
        if bundles.PORTABLE.path not in order.artifacts:
            await self.gate.acquire()
        for path in order.artifacts:
            if error := self.fails.get(path):
                raise error
        await finish_in_memory(order, progress)


def _bundle(
    tmp_path: Path, artifacts: tuple[ArtifactEntry, ...] = ALL, *, code: str = "x = 1\n"
) -> bundles.SmallBundle:
    return bundles.with_model(tmp_path, code=code, artifacts=artifacts)


@asynccontextmanager
async def _finished(tmp_path: Path, bundle: bundles.SmallBundle) -> AsyncIterator[tuple[StoreBox, Slow]]:
    """Open a box to which `bundle` is deployed and each of its artifacts finished, and what finished them."""
    finisher = Slow()
    finisher.let(2)
    async with opened(tmp_path / "home", finisher=finisher) as box:
        await box.deploy(bundle)
        await box.deployments.settled()
        yield box, finisher


def _chain(box: StoreBox) -> Chain:
    found = box.deployments.chains.of("scale")
    assert found is not None
    return found


def _links(box: StoreBox) -> dict[str, Link]:
    return {link.target: link for link in links(_chain(box))}


def _serves(box: StoreBox) -> str:
    (artifact,) = box.host.serving["scale"].config.artifacts
    return artifact.target


def _current(box: StoreBox) -> Revision:
    found = box.deployments.current("scale")
    assert found is not None
    return found


def test_live_on_the_portable_one_then_on_each_faster_one(tmp_path: Path) -> None:
    """A deployment waits for the portable artifact alone; the others come one by one, told, and serve when faster."""

    async def scenario() -> None:
        finisher = Slow()
        async with opened(tmp_path / "home", finisher=finisher) as box:
            event = await box.deploy(_bundle(tmp_path, (*ALL, OTHERS)))
            assert (event["event"], event["finishing"], _serves(box)) == ("deployed", 2, "portable/fp32")
            await until(lambda: finisher.finished[1:] == [MIDDLE.path], "the first of the others is on its way")
            told = _chain(box).finishing
            assert told is not None
            assert (told.done, told.total, told.artifact) == (1, 3, "linear x86-64-v2/fp32")
            assert told.since
            assert {link.state for link in _links(box).values()} == {"serving", "finishing", "refused"}
            finisher.let(1)
            await until(lambda: _serves(box) == MIDDLE.target, "the faster one serves")
            finisher.let(1)
            await until(lambda: _serves(box) == FAST.target, "the fastest serves")
            await box.deployments.settled()
            assert _chain(box).finishing is None
            found = _links(box)
            assert [link.target for link in found.values()] == [
                FAST.target,
                MIDDLE.target,
                "portable/fp32",
                OTHERS.target,
            ]
            assert [link.rank for link in found.values()] == [1, 2, 3, None]
            assert (found[FAST.target].state, found[FAST.target].ratio) == ("serving", 0.125)
            assert "needs the target rk3588/int8" in found[OTHERS.target].reason
            assert any("x86-64-v3/fp32 is finished" in line and "it serves now" in line for line in box.host.lines)

    asyncio.run(scenario())


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    """What is finished stays, each artifact for itself; what was on its way when the power went is finished now."""

    async def scenario() -> None:
        finisher = Slow()
        async with opened(tmp_path / "home", finisher=finisher) as box:
            await box.deploy(_bundle(tmp_path))
            finisher.let(1)
            await until(lambda: finisher.finished[2:] == [FAST.path], "the last is on its way")
        again = Slow()
        again.let(1)
        async with opened(tmp_path / "home", finisher=again) as box:
            assert again.finished == [FAST.path]
            assert _serves(box) == FAST.target
            assert not box.temporaries()

    asyncio.run(scenario())


def test_an_engine_that_crashes_takes_only_itself_down(tmp_path: Path) -> None:
    """The others are finished all the same; a restart does not try it again, a redeployment does."""

    async def scenario() -> None:
        finisher = Slow(**{MIDDLE.path: DeploymentRefused("the finisher was killed by SIGSEGV")})
        for _ in range(4):
            finisher.let(1)
        async with opened(tmp_path / "home", finisher=finisher) as box:
            bundle = _bundle(tmp_path)
            await box.deploy(bundle)
            await box.deployments.settled()
            assert _serves(box) == FAST.target
            assert (_links(box)[MIDDLE.target].state, "SIGSEGV" in _links(box)[MIDDLE.target].reason) == (
                "broken",
                True,
            )
        again = Slow()
        again.let(1)
        async with opened(tmp_path / "home", finisher=again) as box:
            assert not again.finished
            await box.deploy(bundle)
            await box.deployments.settled()
            assert again.finished == [MIDDLE.path]
            assert _links(box)[MIDDLE.target].state == "ready"

    asyncio.run(scenario())


def test_a_full_disk_behind_a_function_leaves_it_serving(tmp_path: Path) -> None:
    """What there is no room for is given up until the next start or deployment, and leaves nothing behind."""

    async def scenario() -> None:
        finisher = Slow(**{MIDDLE.path: DiskFull("no room"), FAST.path: DiskFull("no room")})
        finisher.let(2)
        async with opened(tmp_path / "home", finisher=finisher) as box:
            await box.deploy(_bundle(tmp_path))
            await box.deployments.settled()
            assert _serves(box) == "portable/fp32"
            assert not box.temporaries()
        again = Slow()
        again.let(2)
        async with opened(tmp_path / "home", finisher=again) as box:
            assert _serves(box) == FAST.target

    asyncio.run(scenario())


def test_a_newer_revision_ends_what_was_finished_for_the_one_before(tmp_path: Path) -> None:
    """The artifacts of a revision that no longer serves are not finished, and leave nothing."""

    async def scenario() -> None:
        finisher = Slow()
        async with opened(tmp_path / "home", finisher=finisher) as box:
            await box.deploy(_bundle(tmp_path))
            await until(lambda: MIDDLE.path in finisher.finished, "it is on its way")
            await box.deploy(bundles.with_model(tmp_path, truth=2.0))
            await box.deployments.settled()
            assert _serves(box) == "portable/fp32"
            assert FAST.path not in finisher.finished
            assert not box.temporaries()

    asyncio.run(scenario())


def test_a_fallback_reads_no_file_on_the_event_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a function that breaks again and again each would hold up all others' requests."""
    read: list[bool] = []

    def noting(call: Any) -> Any:
        def noted(*arguments: Any, **options: Any) -> Any:
            read.append(threading.current_thread() is threading.main_thread())
            return call(*arguments, **options)

        return noted

    async def scenario() -> None:
        async with _finished(tmp_path, _bundle(tmp_path)) as (box, _):
            current = _current(box)
            for method in ("open", "read_bytes", "read_text", "stat", "exists"):
                monkeypatch.setattr(Path, method, noting(getattr(Path, method)))
            assert await box.deployments.chains.fall_back(current, FAST.path, "it crashed") is not None
            monkeypatch.undo()
            await box.deployments.settled()

    asyncio.run(scenario())
    assert read
    assert not any(read)


def test_what_breaks_is_not_chosen_again(tmp_path: Path) -> None:
    """The next in the ranking serves instead; a restart knows; the portable one is never marked; deploying forgets."""

    async def scenario() -> None:
        bundle = _bundle(tmp_path)
        async with _finished(tmp_path, bundle) as (box, _):
            second = await box.deployments.chains.fall_back(_current(box), FAST.path, "ImportError: no module")
            assert second is not None
            assert second.served == (MIDDLE.path,)
            assert (_links(box)[FAST.target].state, _links(box)[FAST.target].reason) == (
                "broken",
                "ImportError: no module",
            )
            third = await box.deployments.chains.fall_back(second, MIDDLE.path, "it crashed")
            assert third is not None
            assert third.served == (bundles.PORTABLE.path,)
            assert await box.deployments.chains.fall_back(third, bundles.PORTABLE.path, "it crashed") is None
            assert any("x86-64-v3/fp32 is broken: ImportError" in line for line in box.host.lines)
            await box.deployments.settled()
        async with opened(tmp_path / "home", finisher=Slow()) as box:
            assert _serves(box) == "portable/fp32"
            assert _links(box)[FAST.target].reason == "ImportError: no module"
            await box.deploy(bundle)
            await box.deployments.settled()
            assert _serves(box) == FAST.target

    asyncio.run(scenario())


def test_a_deleted_cache_is_made_again_the_portable_one_first(tmp_path: Path) -> None:
    """With `finished` gone under a running box the next start waits for the portable artifact alone."""

    async def scenario() -> None:
        async with _finished(tmp_path, _bundle(tmp_path)) as (box, finisher):
            shutil.rmtree(box.home.finished)
            box.home.finished.mkdir()
            await box.deployments.ensure_finished(_current(box))
            assert _serves(box) == "portable/fp32"
            finisher.let(2)
            await box.deployments.settled()
            assert _serves(box) == FAST.target

    asyncio.run(scenario())


def test_a_changed_handler_has_its_fastest_artifact_at_once(tmp_path: Path) -> None:
    """Artifacts are shared one by one: a revision that has another one more is waited for that alone."""

    async def scenario() -> None:
        finisher = Slow()
        finisher.let(1)
        async with opened(tmp_path / "home", finisher=finisher) as box:
            await box.deploy(_bundle(tmp_path, ALL[:2]))
            await box.deployments.settled()
            assert (await box.deploy(_bundle(tmp_path, ALL, code="x = 2\n")))["finishing"] == 1
            assert _serves(box) == MIDDLE.target
            finisher.let(1)
            await box.deployments.settled()
            assert _serves(box) == FAST.target
            assert sorted(finisher.finished) == sorted(entry.path for entry in ALL)

    asyncio.run(scenario())


def test_a_changed_box_serves_at_once_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another library version has another folder: the portable artifact serves, the others are finished again."""

    async def scenario() -> None:
        async with _finished(tmp_path, _bundle(tmp_path)):
            pass
        before = fingerprint.facts()
        after = msgspec.structs.replace(before, engines=before.engines | {"onnxruntime": "99.0"})
        for module in (fingerprint, chains):
            monkeypatch.setattr(module, "facts", lambda: after)
        again = Slow()
        box = StoreBox(tmp_path / "home", finisher=again)
        await box.deployments.restore()
        assert _serves(box) == "portable/fp32"
        await until(lambda: MIDDLE.path in again.finished, "the others are finished again")
        version = before.engines["onnxruntime"]
        assert _chain(box).changed == f"the box has changed: onnxruntime {version} → 99.0"
        again.let(2)
        await box.deployments.settled()
        assert _serves(box) == FAST.target
        assert proof.read(_current(box).finished, FAST) is not None
        await box.close()

    asyncio.run(scenario())
