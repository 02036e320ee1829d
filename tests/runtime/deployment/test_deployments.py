"""The road of a deployment, and back: what serves is whole and proved, and nothing that fails changes it."""

from __future__ import annotations

import asyncio
import platform
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgefn.api.deployments import DeployedEvent, StepEvent, WarningEvent
from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import BundleError, DeploymentRefused, DiskFull, FunctionNotFound, Unavailable
from edgefn.targets.needs import Needs
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.deployment.locks import ChangeLocks
from edgefn_runtime.deployment.transaction import INSTALLED_AT_ONCE, LOADED_AT_ONCE
from edgefn_runtime.progress import DeploymentProgress
from edgefn_runtime.store import blobs as blobs_module
from edgefn_runtime.store.disk import OsDisk
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import StoreBox, finish_in_memory, opened, until


@pytest.fixture
def no_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Uploads are not spared from the garbage, so that a test sees what is needed and what is not."""
    monkeypatch.setattr(blobs_module, "LEASE_S", 0.0)


def test_isolation_that_is_missing_is_told_or_refused(tmp_path: Path) -> None:
    """Each missing layer is a warning of the deployment; where it is required nothing is unpacked, finished or run."""

    async def scenario() -> None:
        bundle = bundles.with_model(tmp_path)
        async with opened(tmp_path / "home") as box:
            await box.upload(bundle)
            box.host.unfit = DeploymentRefused("this box cannot isolate functions as required")
            with pytest.raises(DeploymentRefused, match="cannot isolate"):
                [event async for event in box.deployments.deploy("scale", bundle.digest)]
            assert box.host.calls == []
            assert list((tmp_path / "home" / "bundles").iterdir()) == []
            box.host.unfit, box.host.lacking = None, ["this box does not enforce files (no Landlock)"]
            events = [event async for event in box.deployments.deploy("scale", bundle.digest)]
            told = [event.text for event in events if isinstance(event, WarningEvent)]
            assert told == ["this box does not enforce files (no Landlock)"]
            assert box.current("scale") == bundle.digest

    asyncio.run(scenario())


def test_deploy(tmp_path: Path) -> None:
    """A deployed bundle is unpacked byte for byte, finished, prepared, then switched to; the events tell it all."""

    async def scenario() -> None:
        bundle = bundles.with_model(tmp_path)
        async with opened(tmp_path / "home") as box:
            await box.upload(bundle)
            events = [event async for event in box.deployments.deploy("scale", bundle.digest)]
            names = list(dict.fromkeys(event.name for event in events if isinstance(event, StepEvent)))
            assert names == ["verify", "unpack", "finish", "start", "activate"]
            assert events[-1] == DeployedEvent("scale", bundle.digest, 1, finishing=0)
            revision = box.deployments.current("scale")
            assert revision is not None
            files = {
                str(path.relative_to(revision.folder)): path.read_bytes()
                for path in revision.folder.rglob("*")
                if path.is_file()
            }
            assert files.keys() - bundle.files.keys() == {"files.json", "inputs.json"}
            assert files.items() >= bundle.files.items()
            assert box.host.serving["scale"] == revision
            assert box.host.calls == ["prepare", "switch"]
            assert [one.digest for one in box.deployments.history("scale")] == [revision.digest]
            assert not box.temporaries()

    asyncio.run(scenario())


def test_restart_serves_what_was_deployed(tmp_path: Path) -> None:
    """After a restart every function is handed to the host from the disk alone, without preparing any."""

    async def scenario() -> None:
        made = [bundles.function(tmp_path, f"f{n}") for n in range(5)]
        async with opened(tmp_path / "home") as box:
            for bundle in made:
                await box.deploy(bundle)
            before = dict(box.host.serving)
        async with opened(tmp_path / "home", finisher=_no_finisher) as box:
            assert box.host.serving == before
            assert box.host.calls == ["switch"] * 5

    asyncio.run(scenario())


def test_same_digest_is_a_no_op(tmp_path: Path) -> None:
    """Deploying what serves answers its number, starts nothing, and sees to it that it is served."""

    async def scenario() -> None:
        async with opened(tmp_path / "home") as box:
            bundle = bundles.function(tmp_path)
            assert (await box.deploy(bundle)).number == 1
            box.host.calls.clear()
            assert (await box.deploy(bundle)).number == 1
            assert box.host.calls == ["switch"]
            assert len(box.deployments.history("greet")) == 1

    asyncio.run(scenario())


def test_digest_from_history_is_not_unpacked_again(tmp_path: Path) -> None:
    """A bundle that is still on the disk gets a new number, and its finished artifacts are used."""

    async def scenario() -> None:
        first, second = (bundles.with_model(tmp_path, truth=n) for n in (1.0, 2.0))
        finished: list[Path] = []

        async def finisher(order: FinishOrder, progress: DeploymentProgress) -> None:
            finished.append(order.bundle)
            await finish_in_memory(order, progress)

        async with opened(tmp_path / "home", finisher=finisher) as box:
            assert [(await box.deploy(one)).number for one in (first, second, first)] == [1, 2, 3]
            assert len(finished) == 2

    asyncio.run(scenario())


def test_changed_handler_is_not_finished_again(tmp_path: Path) -> None:
    """A bundle with the same artifacts, golden samples and bounds shares the finished files; another has its own."""

    async def scenario() -> None:
        finished: list[Path] = []

        async def finisher(order: FinishOrder, progress: DeploymentProgress) -> None:
            finished.append(order.bundle)
            await finish_in_memory(order, progress)

        async with opened(tmp_path / "home", finisher=finisher) as box:
            for n in range(3):
                await box.deploy(bundles.with_model(tmp_path, code=f"x = {n}\n"))
            assert len(finished) == 1
            files = list(box.home.finished.glob("*/*/artifacts/*/*/finished.onnx"))
            assert len(files) == 3
            assert len({path.stat().st_ino for path in files}) == 1
            await box.deploy(bundles.with_model(tmp_path, truth=2.0))
            assert len(finished) == 2
            await box.deploy(bundles.with_model(tmp_path, "other", code="x = 9\n"))
            assert len(finished) == 2

    asyncio.run(scenario())


def test_torn_finished_files_are_not_shared(tmp_path: Path) -> None:
    """What is not whole is not taken over: the next revision is finished anew."""

    async def scenario() -> None:
        finished: list[Path] = []

        async def finisher(order: FinishOrder, progress: DeploymentProgress) -> None:
            finished.append(order.bundle)
            await finish_in_memory(order, progress)

        async with opened(tmp_path / "home", finisher=finisher) as box:
            await box.deploy(bundles.with_model(tmp_path))
            for path in box.home.finished.glob("*/*/artifacts/*/*/finished.onnx"):
                path.write_bytes(b"to")
            await box.deploy(bundles.with_model(tmp_path, code="x = 2\n"))
            assert len(finished) == 2

    asyncio.run(scenario())


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────


async def _refused(
    box: StoreBox, bundle: bundles.SmallBundle, error: type[Exception], words: str, name: str = ""
) -> None:
    """The bundle is refused with `words`, whatever served before serves on, and nothing of it is left."""
    served = box.current("greet")
    with pytest.raises(error, match=words):
        await box.deploy(bundle, name)
    assert box.current("greet") == served
    assert not box.host.prepared
    assert not box.temporaries()
    kept = {one.digest for one in box.deployments.history("greet")}
    assert {f"sha256:{path.name}" for path in box.home.bundles.iterdir()} <= kept


def test_refusals(tmp_path: Path) -> None:
    """A bundle that is not for this box is refused for its reason before it is unpacked."""
    entry = bundles.PORTABLE
    other = ArtifactEntry("linear", "rk3588/int8", "rknn", needs=Needs(platform.machine()))
    foreign = ArtifactEntry("linear", "our-board/int8", "onnxruntime", needs=Needs("vax", library="onnxruntime"))
    unknown = ArtifactEntry("linear", "new-board/int8", "onnxruntime")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    greedy = bundles.function(tmp_path, memory_bytes=2**60)
    cases = [
        (bundles.function(tmp_path, "other"), BundleError, "holds the function other, not greet"),
        (bundles.wheels(tmp_path, python="3.99"), BundleError, "built for Python 3.99"),
        (bundles.wheels(tmp_path, platform="manylinux_2_99_riscv64"), BundleError, "has wheels for many"),
        (bundles.wheels(tmp_path, "numpy<1"), BundleError, r"tiny-1.0 needs numpy<1, this box has numpy \d"),
        (greedy, DeploymentRefused, r"asks for 115\d+\.\d GB for each instance, but this box has"),
        (bundles.of_a_newer_edgefn(tmp_path), BundleError, "schema_version 99"),
        (
            bundles.with_model(tmp_path, "greet", artifacts=(other,)),
            DeploymentRefused,
            "linear rk3588/int8 needs the backend 'rknn', this box has none of that name: no backend",
        ),
    ]

    async def scenario() -> None:
        async with opened(tmp_path / "home") as box:
            await box.deploy(bundles.function(tmp_path))
            for bundle, error, words in cases:
                await _refused(box, bundle, error, words, "greet")
            assert (await box.deploy(bundles.wheels(tmp_path, "numpy>1", python=python))).number == 2
            await box.deploy(bundles.with_model(tmp_path, "m", artifacts=(entry, other, foreign, unknown)))
            served = box.deployments.current("m")
            assert served is not None
            assert served.config.artifacts == (entry,)  # the host is told of what can run here only
            refused = {why.artifact: why for why in box.deployments.refusals("m")}
            assert refused["linear our-board/int8"].needs == "a CPU of vax"
            assert refused["linear new-board/int8"].has == "no profile of that name"
            assert len(refused) == 3
            assert box.deployments.refusals("not deployed") == ()

    asyncio.run(scenario())


def test_incomplete_and_unknown(tmp_path: Path) -> None:
    """A bundle of which a blob is missing is refused, naming it; so is a digest that nobody uploaded."""

    async def scenario() -> None:
        bundle = bundles.function(tmp_path)
        async with opened(tmp_path / "home") as box:
            layer = next(digest for digest, data in bundle.blobs.items() if b"ustar" in data)
            partial = {digest: data for digest, data in bundle.blobs.items() if digest != layer}
            torn = bundles.SmallBundle(bundle.digest, bundle.config, partial, bundle.files)
            await _refused(box, torn, BundleError, f"incomplete: this box lacks 1 of its blobs .*{layer}")
            with pytest.raises(BundleError, match="not on this box"):
                [event async for event in box.deployments.deploy("greet", "sha256:" + "0" * 64)]
            assert (await box.deploy(bundle)).number == 1

    asyncio.run(scenario())


def test_corrupt_blob(tmp_path: Path) -> None:
    """A blob that the disk damaged is found by its hash, and uploading it again heals it."""

    async def scenario() -> None:
        bundle = bundles.function(tmp_path)
        async with opened(tmp_path / "home") as box:
            await box.upload(bundle)
            layer = next(digest for digest, data in bundle.blobs.items() if b"ustar" in data)
            box.blobs.path(layer).write_bytes(bundle.blobs[layer][:-1] + b"!")
            await _refused(box, bundle, BundleError, "damaged on this box's disk")
            assert (await box.deploy(bundle)).number == 1

    asyncio.run(scenario())


def test_handler_that_does_not_import(tmp_path: Path) -> None:
    """The deployment fails with the handler's trace, and the old revision goes on."""

    async def scenario() -> None:
        old, new = (bundles.function(tmp_path, code=code) for code in ("x = 1\n", "import nothing\n"))
        async with opened(tmp_path / "home") as box:
            await box.deploy(old)
            error = DeploymentRefused("greet cannot be loaded", trace="Traceback ...")
            box.host.refuse[new.digest] = error
            await _refused(box, new, DeploymentRefused, "cannot be loaded")
            assert box.host.calls[-2:] == ["prepare", "discard"]
            box.host.refuse.clear()
            assert (await box.deploy(new)).number == 2  # the refused one used no number

    asyncio.run(scenario())


def test_host_that_cannot_switch(tmp_path: Path) -> None:
    """When the switch itself fails, the route goes back to what the host still serves, on the disk too."""

    async def scenario() -> None:
        old, new = (bundles.function(tmp_path, code=f"x = {n}\n") for n in (1, 2))
        async with opened(tmp_path / "home") as box:
            box.host.refuse_switch = RuntimeError("no")
            await _refused(box, old, RuntimeError, "no")
            assert box.current("greet") is None
            await box.deploy(old)
            box.host.refuse_switch = RuntimeError("no")
            await _refused(box, new, RuntimeError, "no")
            assert [one.number for one in box.deployments.history("greet")] == [1]

    asyncio.run(scenario())


def test_disk_full_predicted(tmp_path: Path) -> None:
    """A bundle that has no room unpacked is refused before it is."""

    class CrampedDisk(OsDisk):
        free = 2**40

        def free_bytes(self, folder: Path) -> int:
            return self.free

    async def scenario() -> None:
        disk = CrampedDisk()
        async with opened(tmp_path / "home", disk=disk) as box:
            bundle = bundles.function(tmp_path)
            await box.upload(bundle)
            disk.free = 2**22 + 100
            await _refused(box, bundle, DiskFull, "the bundle of greet needs .* free some")

    asyncio.run(scenario())


# ── rollback and removal ──────────────────────────────────────────────────────────────────────────────


def test_rollback_goes_where_it_came_from(tmp_path: Path) -> None:
    """Each rollback goes one back, never to what was rolled back from; offline, with nothing finished again."""

    async def scenario() -> None:
        made = [bundles.with_model(tmp_path, code=f"x = {n}\n") for n in range(4)]
        async with opened(tmp_path / "home") as box:
            for bundle in made[:3]:
                await box.deploy(bundle)
        async with opened(tmp_path / "home", finisher=_no_finisher) as box:
            assert (await box.deployments.rollback("scale")).number == 2
            assert box.current("scale") == made[1].digest
        async with opened(tmp_path / "home") as box:
            assert box.current("scale") == made[1].digest
            assert (await box.deploy(made[3])).number == 4
            assert (await box.deployments.rollback("scale")).number == 2  # and not 3
            assert (await box.deployments.rollback("scale", 4)).number == 4
            assert box.current("scale") == made[3].digest
            assert (await box.deployments.rollback("scale", 4)).number == 4
            assert not box.host.prepared

    asyncio.run(scenario())


def test_rollback_of_first_ever_deploy_never_deletes_runtime(tmp_path: Path) -> None:
    """With nothing to go back to, a rollback is refused and what serves goes on; unknown numbers likewise."""

    async def scenario() -> None:
        async with opened(tmp_path / "home") as box:
            with pytest.raises(FunctionNotFound):
                await box.deployments.rollback("greet")
            bundle = bundles.function(tmp_path)
            await box.deploy(bundle)
            with pytest.raises(DeploymentRefused, match=r"no earlier deployment .* number 1 stays in service"):
                await box.deployments.rollback("greet")
            with pytest.raises(DeploymentRefused, match="deployment 7 of greet is not on this box, which has 1"):
                await box.deployments.rollback("greet", 7)
            assert box.current("greet") == bundle.digest
            assert (box.home.bundles / bundle.digest.removeprefix("sha256:")).is_dir()

    asyncio.run(scenario())


def test_rollback_that_does_not_start(tmp_path: Path) -> None:
    """A rollback to what does not load any more is refused, and what serves goes on."""

    async def scenario() -> None:
        made = [bundles.function(tmp_path, code=f"x = {n}\n") for n in range(2)]
        async with opened(tmp_path / "home") as box:
            for bundle in made:
                await box.deploy(bundle)
            box.host.refuse[made[0].digest] = DeploymentRefused("greet cannot be loaded")
            with pytest.raises(DeploymentRefused, match="cannot be loaded"):
                await box.deployments.rollback("greet")
            assert box.current("greet") == made[1].digest
            assert not box.host.prepared

    asyncio.run(scenario())


@pytest.mark.usefixtures("no_leases")
def test_remove(tmp_path: Path) -> None:
    """A removed function has no route, no process and no file; another that shares its bundle keeps all."""

    async def scenario() -> None:
        mine, other = bundles.with_model(tmp_path, "mine"), bundles.with_model(tmp_path, "other")
        async with opened(tmp_path / "home") as box:
            await box.deploy(mine)
            await box.deploy(other)
            await box.deployments.remove("mine")
            assert box.current("mine") is None
            assert box.deployments.history("mine") == []
            assert box.deployments.names() == ["other"]
            assert [path.name for path in box.home.bundles.iterdir()] == [other.digest.removeprefix("sha256:")]
            assert len(list(box.home.finished.glob("*/*"))) == 1
            assert not box.deployments.missing(other.blobs)
            assert set(box.deployments.missing(mine.blobs)) == set(mine.blobs) - set(other.blobs)
            with pytest.raises(FunctionNotFound):
                await box.deployments.remove("mine")
            assert (await box.deploy(mine)).number == 1

    asyncio.run(scenario())


def test_many_deployments_at_once_take_turns(tmp_path: Path) -> None:
    """All come to their end, of which only some install or load at a time; what is given up on gives its turn back."""
    finishing = most_finishing = 0

    async def finisher(order: FinishOrder, progress: DeploymentProgress) -> None:
        nonlocal finishing, most_finishing
        finishing += 1
        most_finishing = max(most_finishing, finishing)
        try:
            await asyncio.sleep(0.01)
        finally:  # those that are given up on are cancelled here
            finishing -= 1
        await finish_in_memory(order, progress)

    async def scenario() -> None:
        made = [bundles.with_model(tmp_path, f"f{n}", code=f"x = {n}\n", truth=1 + n * 1e-7) for n in range(20)]
        async with opened(tmp_path / "home", finisher=finisher) as box:
            box.host.hold = asyncio.Event()
            early = [asyncio.create_task(box.deploy(one)) for one in made[:10]]
            await until(lambda: box.host.at_once == LOADED_AT_ONCE, "some load")
            for task in early:
                task.cancel()
            await asyncio.gather(*early, return_exceptions=True)
            box.host.hold.set()
            await asyncio.gather(*(box.deploy(one) for one in made))
            assert len(box.deployments.names()) == 20
            assert box.host.most_at_once == LOADED_AT_ONCE
            assert most_finishing <= INSTALLED_AT_ONCE

    asyncio.run(scenario())


def test_a_history_reads_no_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A box of 200 functions with 20 deployments each tells of all of them in a fifth of a second."""

    async def scenario() -> None:
        async with opened(tmp_path / "home") as box:
            made = [bundles.function(tmp_path, code=f"x = {n}\n") for n in range(3)]
            for bundle in made:
                await box.deploy(bundle)
            monkeypatch.setattr("edgefn_runtime.deployment.catalogue._config", lambda data: pytest.fail("is parsed"))
            found = box.deployments.history("greet")
            monkeypatch.undo()
            assert [(one.number, one.digest) for one in found] == [(n + 1, made[n].digest) for n in reversed(range(3))]
            assert all(one.deployed_at for one in found)

    asyncio.run(scenario())


@pytest.mark.usefixtures("no_leases")
def test_garbage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last three stay on the disk for a rollback; older ones go, but not while they may still answer."""

    async def scenario() -> None:
        made = [bundles.function(tmp_path, code=f"x = {n}\n") for n in range(5)]
        async with opened(tmp_path / "home") as box:
            for bundle in made[:4]:
                await box.deploy(bundle)
            assert _bundles(box) == {one.digest for one in made[:4]}  # the first may still be draining
        monkeypatch.setattr("edgefn_runtime.deployment.transaction.DRAIN_S", -1000.0)
        async with opened(tmp_path / "home") as box:
            assert _bundles(box) == {one.digest for one in made[1:4]}
            await box.deploy(made[4])
            assert _bundles(box) == {one.digest for one in made[2:5]}
            assert len(box.deployments.history("greet")) == 5
            assert box.deployments.missing(made[0].blobs)
            with pytest.raises(DeploymentRefused, match=r"which has 5, 4, 3"):
                await box.deployments.rollback("greet", 1)
            assert not box.temporaries()

    asyncio.run(scenario())


def _bundles(box: StoreBox) -> set[str]:
    return {f"sha256:{path.name}" for path in box.home.bundles.iterdir()}


# ── several at once, and leaving ──────────────────────────────────────────────────────────────────────


def test_client_that_leaves_cancels(tmp_path: Path) -> None:
    """When the events are no longer read, the deployment ends, its files go, and the next one has its turn."""

    async def scenario() -> None:
        ended = asyncio.Event()

        async def stuck(order: FinishOrder, progress: DeploymentProgress) -> None:
            progress("finish", 0, 1)
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        bundle = bundles.with_model(tmp_path)
        async with opened(tmp_path / "home", finisher=stuck) as box:
            await box.upload(bundle)
            events = box.deployments.deploy("scale", bundle.digest)
            async for event in events:
                if isinstance(event, StepEvent) and event.name == "finish":
                    break
            await events.aclose()  # type: ignore[attr-defined]
            await box.deployments.settled()
            assert ended.is_set()
            assert not box.temporaries()
            assert not list(box.home.bundles.iterdir())
            assert box.current("scale") is None

    asyncio.run(scenario())


def test_cancelled_at_every_step(tmp_path: Path) -> None:
    """A client that leaves at any event finds the old revision or the new one serving, and nothing half."""

    async def scenario() -> None:
        old, new = (bundles.with_model(tmp_path, code=f"x = {n}\n") for n in (1, 2))
        async with opened(tmp_path / "home") as box:
            await box.deploy(old)
        for stop_at in range(20):
            home = tmp_path / f"home-{stop_at}"
            shutil.copytree(tmp_path / "home", home)
            async with opened(home) as box:
                await box.upload(new)
                count = await _read_until(stop_at, box.deployments.deploy("scale", new.digest))
                await box.deployments.settled()
                assert box.current("scale") in (old.digest, new.digest)
                assert not box.host.prepared
                assert not box.temporaries()
                if count < stop_at:
                    assert box.current("scale") == new.digest
                    return
                assert (await box.deploy(new)).number == 2
        pytest.fail("a deployment has more events than this test knows")

    asyncio.run(scenario())


async def _read_until(stop_at: int, events: AsyncIterator[object]) -> int:
    count = 0
    async for _ in events:
        count += 1
        if count > stop_at:
            break
    await events.aclose()  # type: ignore[attr-defined]
    return count


def test_stuck_deployment_can_always_be_cancelled_or_superseded(tmp_path: Path) -> None:
    """A second deployment of another bundle takes the place of one that hangs, whose client is told why."""

    async def scenario() -> None:
        stuck, good = (bundles.function(tmp_path, code=f"x = {n}\n") for n in (1, 2))
        async with opened(tmp_path / "home") as box:
            box.host.hold = asyncio.Event()
            first = asyncio.create_task(box.deploy(stuck))
            await until(lambda: "prepare" in box.host.calls, "the first deployment prepares")
            box.host.hold = None
            assert (await box.deploy(good)).number == 1
            with pytest.raises(DeploymentRefused, match=f"was superseded by {good.digest}"):
                await first
            assert box.current("greet") == good.digest
            assert "discard" in box.host.calls

    asyncio.run(scenario())


def test_same_bundle_waits_its_turn(tmp_path: Path) -> None:
    """Two who deploy the same bundle at once both succeed, with the same number, and it is prepared once."""

    async def scenario() -> None:
        bundle = bundles.function(tmp_path)
        async with opened(tmp_path / "home") as box:
            await box.upload(bundle)
            both = await asyncio.gather(box.deploy(bundle), box.deploy(bundle))
            assert [one.number for one in both] == [1, 1]
            assert box.host.calls.count("prepare") == 1

    asyncio.run(scenario())


def test_same_bundle_takes_over_in_the_end(tmp_path: Path) -> None:
    """Who waits for a stuck deployment of the same bundle takes over after a bounded time."""

    async def scenario() -> None:
        bundle = bundles.function(tmp_path)
        async with opened(tmp_path / "home", turns=ChangeLocks(wait_s=0.05)) as box:
            box.host.hold = asyncio.Event()
            first = asyncio.create_task(box.deploy(bundle))
            await until(lambda: "prepare" in box.host.calls, "the first deployment prepares")
            box.host.hold = None
            assert (await box.deploy(bundle)).number == 1
            with pytest.raises(DeploymentRefused, match="was superseded"):
                await first

    asyncio.run(scenario())


def test_many_functions_at_once(tmp_path: Path) -> None:
    """Deployments of different functions do not wait for each other, and garbage takes nothing of theirs."""

    async def scenario() -> None:
        made = [bundles.with_model(tmp_path, f"f{n}", code=f"x = {m}\n") for m in range(3) for n in range(6)]
        async with opened(tmp_path / "home") as box:
            for start in range(0, len(made), 6):
                await asyncio.gather(*(box.deploy(bundle) for bundle in made[start : start + 6]))
            assert {name: box.current(name) for name in box.deployments.names()} == {
                bundle.config.function.name: bundle.digest for bundle in made[-6:]
            }
            for name in box.deployments.names():
                assert (await box.deployments.rollback(name)).number == 2

    asyncio.run(scenario())


def test_rollback_supersedes_a_deployment(tmp_path: Path) -> None:
    """An operator who rolls back does not wait for a deployment that is on its road."""

    async def scenario() -> None:
        made = [bundles.function(tmp_path, code=f"x = {n}\n") for n in range(3)]
        async with opened(tmp_path / "home") as box:
            for bundle in made[:2]:
                await box.deploy(bundle)
            box.host.calls.clear()
            box.host.hold = asyncio.Event()
            deploying = asyncio.create_task(box.deploy(made[2]))
            await until(lambda: "prepare" in box.host.calls, "the deployment prepares")
            box.host.hold = None
            assert (await box.deployments.rollback("greet")).number == 1
            with pytest.raises(DeploymentRefused, match="was superseded by a rollback"):
                await deploying

    asyncio.run(scenario())


def test_box_that_stops_tells_its_clients(tmp_path: Path) -> None:
    """A deployment that is on its road when the box stops ends with Unavailable."""

    async def scenario() -> None:
        bundle = bundles.function(tmp_path)
        async with opened(tmp_path / "home") as box:
            box.host.hold = asyncio.Event()
            deploying = asyncio.create_task(box.deploy(bundle))
            await until(lambda: "prepare" in box.host.calls, "the deployment prepares")
        with pytest.raises(Unavailable, match="shutting down"):
            await deploying

    asyncio.run(scenario())


async def _no_finisher(order: FinishOrder, progress: DeploymentProgress) -> None:
    raise AssertionError(f"{order.bundle} is finished again")
