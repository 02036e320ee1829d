"""After a start everything that was deployed serves, and what is missing on the disk is made again."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from pathlib import Path

import msgspec
import pytest

from edgefn.errors import BundleError, DiskFull
from edgefn.targets.probe import Probe
from edgefn_runtime.artifacts import capability
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.deployment.checks.permissions import Permission
from edgefn_runtime.gateway.openapi.document import document
from edgefn_runtime.progress import DeploymentProgress
from edgefn_runtime.store.disk import OsDisk
from edgefn_runtime.store.revision import Revision
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import StoreBox, finish_in_memory, opened, until
from tests.runtime.store.faults import FaultyDisk


class CountingFinisher:
    """Counts what it finishes, and holds it while `gate` is closed."""

    def __init__(self) -> None:
        self.finished: list[Path] = []
        self.cancelled: list[Path] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, order: FinishOrder, progress: DeploymentProgress) -> None:
        self.finished.append(order.bundle)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(order.bundle)
            raise
        await finish_in_memory(order, progress)


async def _deployed(home: Path, *made: bundles.SmallBundle) -> None:
    async with opened(home) as box:
        for bundle in made:
            await box.deploy(bundle)


def _current(box: StoreBox, name: str = "scale") -> Revision:
    revision = box.deployments.current(name)
    assert revision is not None
    return revision


def test_finished_is_a_cache(tmp_path: Path) -> None:
    """With `finished` deleted, each function is handed to the host at once and finished again meanwhile."""

    async def scenario() -> None:
        await _deployed(tmp_path / "home", *(bundles.with_model(tmp_path, f"f{n}", truth=1.0 + n) for n in range(3)))
        shutil.rmtree(tmp_path / "home" / "finished")
        finisher = CountingFinisher()
        async with opened(tmp_path / "home", finisher=finisher) as box:
            assert len(finisher.finished) == 3
            assert box.deployments.names() == sorted(box.host.serving) == ["f0", "f1", "f2"]
            assert not box.host.failed
            await box.deployments.ensure_finished(_current(box, "f0"))
            assert len(finisher.finished) == 3

    asyncio.run(scenario())


@pytest.mark.parametrize("lost", ["finished.onnx", "proof.json"])
def test_incomplete_finished_is_made_again(tmp_path: Path, lost: str) -> None:
    """A finished artifact of which a file is gone or torn is noticed by a stat, while the box runs and at its start."""

    async def scenario() -> None:
        await _deployed(tmp_path / "home", bundles.with_model(tmp_path))
        finisher = CountingFinisher()
        async with opened(tmp_path / "home", finisher=finisher) as box:
            revision = _current(box)
            (revision.finished / bundles.PORTABLE.path / lost).unlink()
            await box.deployments.ensure_finished(revision)
            assert len(finisher.finished) == 1
            (revision.finished / bundles.PORTABLE.path / lost).write_bytes(b"to")
        async with opened(tmp_path / "home", finisher=finisher) as box:
            assert len(finisher.finished) == 2

    asyncio.run(scenario())


def test_ensure_finished_is_shared(tmp_path: Path) -> None:
    """Many who need a revision finished wait for one finisher; it goes on while one waits, and ends with the last."""

    async def scenario() -> None:
        await _deployed(tmp_path / "home", bundles.with_model(tmp_path))
        finisher = CountingFinisher()
        async with opened(tmp_path / "home", finisher=finisher) as box:
            revision = _current(box)
            shutil.rmtree(revision.finished)
            finisher.gate.clear()
            waiting = [asyncio.create_task(box.deployments.ensure_finished(revision)) for _ in range(5)]
            await until(lambda: finisher.finished, "the finisher runs")
            for task in waiting[1:]:
                task.cancel()
            await asyncio.gather(*waiting[1:], return_exceptions=True)
            assert not finisher.cancelled
            waiting[0].cancel()
            await asyncio.gather(waiting[0], return_exceptions=True)
            assert len(finisher.cancelled) == 1
            assert not box.temporaries()
            finisher.gate.set()
            await asyncio.gather(*(box.deployments.ensure_finished(revision) for _ in range(5)))
            assert len(finisher.finished) == 2

    asyncio.run(scenario())


def test_lost_folder_is_unpacked_again(tmp_path: Path) -> None:
    """A revision whose unpacked folder is gone is unpacked from its blobs."""

    async def scenario() -> None:
        bundle = bundles.function(tmp_path)
        await _deployed(tmp_path / "home", bundle)
        shutil.rmtree(tmp_path / "home" / "bundles")
        async with opened(tmp_path / "home") as box:
            folder = _current(box, "greet").folder
            assert (folder / "code" / "greet.py").read_bytes() == bundle.files["code/greet.py"]
            assert not box.host.failed

    asyncio.run(scenario())


def test_corrupt_blob_fails_one_function_only(tmp_path: Path) -> None:
    """A function whose blob was damaged is reported failed for that reason; others serve; a deployment heals it."""

    async def scenario() -> None:
        bad, good = bundles.with_model(tmp_path, "bad"), bundles.function(tmp_path, "good")
        await _deployed(tmp_path / "home", bad, good)
        shutil.rmtree(tmp_path / "home" / "bundles")
        own = set(bad.blobs) - set(good.blobs)
        layer = next(digest for digest in own if b"ustar" in bad.blobs[digest])
        (tmp_path / "home" / "blobs" / "sha256" / layer.removeprefix("sha256:")).write_bytes(b"rot")
        async with opened(tmp_path / "home") as box:
            assert list(box.host.failed) == ["bad"]
            assert "damaged on this box's disk" in box.host.failed["bad"]
            assert _current(box, "good").folder.is_dir()
            with pytest.raises(BundleError, match=layer):
                await box.deployments.ensure_finished(_current(box, "bad"))
            assert (await box.deploy(bad))["number"] == 1
            assert not box.host.failed
            await box.deployments.ensure_finished(_current(box, "bad"))

    asyncio.run(scenario())


def test_engine_that_went_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function whose engine is no longer installed is reported failed with what to install; others serve."""

    async def scenario() -> None:
        await _deployed(tmp_path / "home", bundles.with_model(tmp_path), bundles.function(tmp_path))
        monkeypatch.setattr(capability, "_probe", lambda name: Probe(False, fix="pip install onnxruntime"))
        async with opened(tmp_path / "home", finisher=_no_finisher) as box:
            assert list(box.host.failed) == ["scale"]
            assert "this box has it not installed: pip install onnxruntime" in box.host.failed["scale"]
            assert "greet" in box.host.serving

    asyncio.run(scenario())


def test_restart_mid_install_boots(tmp_path: Path) -> None:
    """What a power cut left half done in any folder is gone after the next start."""

    async def scenario() -> None:
        await _deployed(tmp_path / "home", bundles.function(tmp_path))
        home = tmp_path / "home"
        own = ("run", "secrets", "tls", "blobs/sha256", "bundles", "finished/old")
        for folder in (home, home.with_name("home-keys"), *(home / name for name in own)):
            folder.mkdir(exist_ok=True)
            (folder / "file.1a2b.tmp").write_bytes(b"half")
        (home / "bundles" / "abc.1a2b.tmp" / "code").mkdir(parents=True)
        (home / "bundles" / ("0" * 64)).mkdir()
        (home / "blobs" / "sha256" / ("0" * 64)).write_bytes(b"uploaded, never deployed")
        async with opened(home) as box:
            assert not box.temporaries()
            assert len(list(box.home.bundles.iterdir())) == 1
            assert len(list(box.home.blobs.iterdir())) == 3
            assert not (home / "finished" / "old").exists()
            assert box.current("greet")

    asyncio.run(scenario())


def test_upload_during_start_is_not_garbage(tmp_path: Path) -> None:
    """What is uploaded while a start still repairs is not taken for garbage."""

    async def scenario() -> None:
        await _deployed(tmp_path / "home", bundles.with_model(tmp_path))
        shutil.rmtree(tmp_path / "home" / "finished")
        finisher = CountingFinisher()
        finisher.gate.clear()
        box = StoreBox(tmp_path / "home", OsDisk(), finisher, None)
        await box.deployments.restore()
        await until(lambda: finisher.finished, "the repair runs")
        other = bundles.function(tmp_path, "other")
        assert (await box.deploy(other))["number"] == 1
        last = bundles.function(tmp_path, "last")
        await box.upload(last)
        finisher.gate.set()
        await box.deployments.settled()
        assert not box.deployments.missing(last.blobs)
        assert box.current("other") == other.digest
        await box.close()

    asyncio.run(scenario())


def test_restore_neither_reads_blobs_nor_writes(tmp_path: Path) -> None:
    """All functions are handed to the host before a blob is read or anything is written."""

    async def scenario() -> None:
        await _deployed(tmp_path / "home", *(bundles.with_model(tmp_path, f"f{n}") for n in range(10)))
        shutil.rmtree(tmp_path / "home" / "blobs")
        disk = FaultyDisk()
        box = StoreBox(tmp_path / "home", disk, _no_finisher, None)
        disk.operations.clear()
        await box.deployments.restore()
        assert not disk.operations
        assert len(box.host.serving) == 10
        await box.deployments.settled()
        assert not box.host.failed
        await box.close()

    asyncio.run(scenario())


def test_healed_function_is_not_failed_any_more(tmp_path: Path) -> None:
    """A function that could not be made whole at the start, and can later, is switched to again."""

    async def scenario() -> None:
        await _deployed(tmp_path / "home", bundles.with_model(tmp_path))
        shutil.rmtree(tmp_path / "home" / "finished")
        full = [True]

        async def finisher(order: FinishOrder, progress: DeploymentProgress) -> None:
            if full:
                raise DiskFull("no room on the disk")
            await finish_in_memory(order, progress)

        async with opened(tmp_path / "home", finisher=finisher) as box:
            assert box.host.failed == {"scale": "no room on the disk"}
            full.clear()
            await box.deployments.ensure_finished(_current(box))
            assert not box.host.failed

    asyncio.run(scenario())


@pytest.mark.parametrize("changed", ["code/scale.py", "artifacts/linear/portable-fp32/model.onnx", "code/numpy.py"])
def test_a_changed_file_is_unpacked_anew(tmp_path: Path, changed: str, caplog: pytest.LogCaptureFixture) -> None:
    """A start finds it behind what serves, says so, and ends what has read it; nothing else is made again."""

    async def scenario() -> None:
        bundle = bundles.with_model(tmp_path)
        await _deployed(tmp_path / "home", bundle)
        finisher = CountingFinisher()
        folder = next((tmp_path / "home" / "bundles").iterdir())
        (folder / changed).write_text("import os; os.system('true')")
        async with opened(tmp_path / "home", finisher=finisher) as box:
            assert {name: (folder / name).read_bytes() for name in bundle.files} == bundle.files
            assert not (folder / "code" / "numpy.py").exists()
            assert "restart" in box.host.calls
            assert any(changed in line and "unpacked anew" in line for line in box.host.lines)
            assert not finisher.finished
        assert changed in caplog.text
        async with opened(tmp_path / "home") as box:
            assert "restart" not in box.host.calls

    asyncio.run(scenario())


def test_a_changed_finished_file_is_finished_anew(tmp_path: Path) -> None:
    """With the same size and times, too."""

    async def scenario() -> None:
        await _deployed(tmp_path / "home", bundles.with_model(tmp_path))
        async with opened(tmp_path / "home"):
            """Its record is made by the first start."""
        (file,) = (tmp_path / "home" / "finished").glob("*/*/artifacts/*/*/finished.onnx")
        before = file.stat()
        file.write_bytes(b"FINISHED")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        async with opened(tmp_path / "home") as box:
            assert file.read_bytes() == b"finished"
            assert any("finished anew" in line for line in box.host.lines)

    asyncio.run(scenario())


def test_a_changed_bundle_that_a_rollback_may_go_to_is_unpacked_by_it(tmp_path: Path) -> None:
    """It is removed at the start, and the rollback serves what was deployed."""

    async def scenario() -> None:
        old, new = bundles.function(tmp_path, code="x = 1\n"), bundles.function(tmp_path, code="x = 2\n")
        await _deployed(tmp_path / "home", old, new)
        folder = tmp_path / "home" / "bundles" / old.digest.removeprefix("sha256:")
        (folder / "code" / "greet.py").write_text("x = 3\n")
        async with opened(tmp_path / "home") as box:
            assert not folder.exists()
            await box.deployments.rollback("greet")
            assert (folder / "code" / "greet.py").read_text() == "x = 1\n"

    asyncio.run(scenario())


def test_an_artifact_is_finished_from_what_was_unpacked(tmp_path: Path) -> None:
    """A file that was changed since, while the box ran, is put right before an engine reads it."""

    async def scenario() -> None:
        bundle = bundles.with_model(tmp_path)
        await _deployed(tmp_path / "home", bundle)
        seen: list[bytes] = []

        async def finisher(order: FinishOrder, progress: DeploymentProgress) -> None:
            seen.append((order.bundle / bundles.PORTABLE.path / "model.onnx").read_bytes())
            await finish_in_memory(order, progress)

        async with opened(tmp_path / "home", finisher=finisher) as box:
            revision = _current(box)
            file = revision.folder / bundles.PORTABLE.path / "model.onnx"
            before = file.stat()
            file.write_bytes(bytes(before.st_size))
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            shutil.rmtree(revision.finished)
            await box.deployments.ensure_finished(revision)
            assert seen == [bundle.files[f"{bundles.PORTABLE.path}/model.onnx"]]

    asyncio.run(scenario())


async def _no_finisher(order: FinishOrder, progress: DeploymentProgress) -> None:
    raise AssertionError(f"{order.bundle} is finished again")


ROWS = {
    "a config that is none": "config = x'ff7b'",
    "a config of a newer edgefn": """config = CAST('{"schema_version": 99}' AS BLOB)""",
    "a list of blobs that is none": "blobs = x'5b5b'",
}


@pytest.mark.parametrize("damage", ROWS.values(), ids=ROWS)
@pytest.mark.parametrize("then", ["deploy", "roll back", "remove"])
def test_what_cannot_be_read_any_more_is_that_function_alone(tmp_path: Path, damage: str, then: str) -> None:
    """The list of functions, the document and the grants failed for all, and the function could not be got rid of.

    It is told to be failed, it is listed, and it can be deployed anew, rolled back and removed.
    """

    async def scenario() -> None:
        before, bad = (bundles.function(tmp_path, "bad", code=f"x = {n}\n") for n in range(2))
        await _deployed(tmp_path / "home", before, bad, bundles.function(tmp_path, "good"))
        connection = sqlite3.connect(tmp_path / "home" / "box.db")
        connection.execute(f"UPDATE revisions SET {damage} WHERE digest = ?", (bad.digest,))
        connection.commit()
        connection.close()
        async with opened(tmp_path / "home") as box:
            assert set(box.host.serving) == {"good"}
            assert set(box.host.failed) == {"bad"}
            shown = [_current(box, name) for name in box.deployments.names()]
            msgspec.json.encode(document([one.config.function for one in shown], "1"))
            assert [(one.name, one.digest == bad.digest) for one in shown] == [("bad", True), ("good", False)]
            assert [one.number for one in box.deployments.history("bad")] == [2, 1]
            assert not box.deployments.grants()
            assert not box.deployments.asked("bad")
            assert not box.deployments.refusals("bad")
            assert box.deployments.chains.explain("bad", 1.0) is None
            await box.deployments.allow("bad", Permission("network"), "test")
            match then:
                case "deploy":
                    assert (await box.deploy(bundles.function(tmp_path, "bad", code="x = 3\n")))["number"] == 3
                case "roll back":
                    assert (await box.deployments.rollback("bad")).digest == before.digest
                case "remove":
                    await box.deployments.remove("bad")
            assert set(box.host.serving) == ({"good"} if then == "remove" else {"bad", "good"})

    asyncio.run(scenario())
