"""Power may be cut, or the disk be full, at any operation of a deployment: one revision or the other, none half."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from pathlib import Path

import pytest

from edgefn.errors import DiskFull
from edgefn_runtime.store import blobs as blobs_module
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import StoreBox, opened
from tests.runtime.store.faults import Fault, FaultyDisk, PowerCut

MAX_OPERATIONS = 200


@pytest.fixture(autouse=True)
def no_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not needed goes at once, so that the garbage is part of what is interrupted."""
    monkeypatch.setattr(blobs_module, "LEASE_S", 0.0)
    monkeypatch.setattr("edgefn_runtime.deployment.transaction.DRAIN_S", -1000.0)


@pytest.mark.parametrize("fault", ["cut before", "cut after"])
@pytest.mark.parametrize("change", ["deploy", "rollback", "remove"])
def test_power_cut_at_every_operation(tmp_path: Path, fault: Fault, change: str) -> None:
    """After the cut the box comes up with the old or the new state, serves it whole, and keeps no garbage."""

    async def scenario() -> None:
        made = await _four_deployed(tmp_path)
        for at in range(1, MAX_OPERATIONS):
            home, dark = tmp_path / f"{at}-home", tmp_path / f"{at}-dark"
            shutil.copytree(tmp_path / "home", home)
            disk = FaultyDisk()
            done = False
            async with opened(home, disk=disk) as box:
                disk.arm(at, fault)
                try:
                    await _change(box, change, made[-1])
                    done = True
                except PowerCut:
                    pass
                struck = len(disk.operations) >= at
                shutil.copytree(home, dark)  # the disk as the cut leaves it: what this box still does is lost
            await _check_after(dark, made, change, done)
            shutil.rmtree(home)
            shutil.rmtree(dark)
            if not struck:
                assert done
                return
        pytest.fail(f"a {change} takes more than {MAX_OPERATIONS} operations")

    asyncio.run(scenario())


@pytest.mark.parametrize("change", ["deploy", "rollback", "remove"])
def test_disk_full_at_every_operation(tmp_path: Path, change: str) -> None:
    """A disk that is full at any operation leaves old or new serving, says so, and the next try succeeds."""

    async def scenario() -> None:
        made = await _four_deployed(tmp_path)
        for at in range(1, MAX_OPERATIONS):
            home = tmp_path / f"{at}-home"
            shutil.copytree(tmp_path / "home", home)
            disk = FaultyDisk()
            async with opened(home, disk=disk) as box:
                old = box.current("scale")
                disk.arm(at, "full")
                try:
                    await _change(box, change, made[-1])
                except (DiskFull, OSError):
                    assert box.current("scale") == old
                    assert not box.host.prepared
                    if change != "remove":
                        assert not box.temporaries()
                struck = len(disk.operations) >= at
                if box.current("scale") == old:
                    await _change(box, change, made[-1])
            await _check_after(home, made, change, done=True)
            shutil.rmtree(home)
            if not struck:
                return
        pytest.fail(f"a {change} takes more than {MAX_OPERATIONS} operations")

    asyncio.run(scenario())


async def _four_deployed(tmp_path: Path) -> list[bundles.SmallBundle]:
    """Five bundles, of which four are deployed one after the other: the last three are on the disk."""
    made = [bundles.with_model(tmp_path, code=f"x = {n}\n") for n in range(4)]
    made.append(bundles.with_model(tmp_path, truth=2.0))  # not finished as the others are
    async with opened(tmp_path / "home") as box:
        for bundle in made[:4]:
            await box.deploy(bundle)
    return made


async def _change(box: StoreBox, change: str, new: bundles.SmallBundle) -> None:
    if change == "deploy":
        await box.deploy(new)
    elif change == "rollback":
        await box.deployments.rollback("scale")
    else:
        await box.deployments.remove("scale")


async def _check_after(home: Path, made: list[bundles.SmallBundle], change: str, done: bool) -> None:
    """The box at `home` has the state before or after `change`, whole and clean, and takes a new deployment."""
    before, after = _expected(made, change)
    async with opened(home) as box:
        digest = box.current("scale")
        assert digest in ((after,) if done else (before, after))
        assert not box.temporaries()
        assert not box.host.failed
        if digest is None:
            assert not list(box.home.bundles.iterdir())
            assert not list(box.home.blobs.iterdir())
        else:
            revision = box.deployments.current("scale")
            assert revision is not None
            bundle = next(one for one in made if one.digest == digest)
            for name, content in bundle.files.items():
                assert (revision.folder / name).read_bytes() == content
            await box.deployments.ensure_finished(revision)
            assert (revision.finished / bundles.PORTABLE.path / "finished.onnx").read_bytes() == b"finished"
            assert len(list(box.home.bundles.iterdir())) <= 3
            assert not box.deployments.missing(bundle.blobs)
            for path in box.home.blobs.iterdir():
                assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name
        await box.deploy(made[0])  # one that is not on the disk any more
        assert box.current("scale") == made[0].digest


def _expected(made: list[bundles.SmallBundle], change: str) -> tuple[str, str | None]:
    after = {"deploy": made[4].digest, "rollback": made[2].digest, "remove": None}
    return made[3].digest, after[change]
