"""The finisher's process: a bundle is finished and proved by the real engine, and no process outlives its reason."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import DeploymentRefused
from edgefn_runtime.artifacts import proof
from edgefn_runtime.artifacts.finish.confined import ConfinedFinisher
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.child.finisher import NAME
from edgefn_runtime.child.sandbox.identity import NOBODY
from edgefn_runtime.progress import UNHEARD, DeploymentProgress
from edgefn_runtime.store import record
from edgefn_runtime.store.disk import OsDisk
from tests import programs
from tests.runtime.artifacts.finish.conftest import OnBox
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import StoreBox, until
from tests.runtime.pool.bench import alive


def finishers(box: int = 0) -> list[int]:
    """The living finisher processes of the box of that pid; of this process, where none is given."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                name, status = (folder / "comm").read_text().strip(), (folder / "stat").read_text()
            except OSError:
                continue
            state, parent, *_ = status.rpartition(")")[2].split()
            if name == NAME and state != "Z" and int(parent) == (box or os.getpid()):
                found.append(int(folder.name))
    return found


def _order(folder: Path, finished: Path) -> FinishOrder:
    finished.mkdir(exist_ok=True)
    return FinishOrder(folder, finished, finished, (bundles.PORTABLE.path,))


def _hanging(tmp_path: Path) -> Path:
    """An unpacked bundle whose golden samples never come: a pipe that nobody writes to."""
    folder = bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle")
    (folder / "golden" / "linear.npz").unlink()
    os.mkfifo(folder / "golden" / "linear.npz")
    return folder


def test_finishes_and_proves(tmp_path: Path, on_box: OnBox) -> None:
    """A deployed model is finished by its engine, held against its golden samples, and its proof has the figures."""

    async def scenario(box: StoreBox) -> None:
        bundle = bundles.with_model(tmp_path)
        await box.upload(bundle)
        events = [event async for event in box.deployments.deploy("scale", bundle.digest)]
        told = [event["detail"] for event in events if event.get("name") == "prove"]
        assert len(told) == 1
        assert "linear portable/fp32: error" in told[0]
        assert "on 2 golden samples" in told[0]
        revision = box.deployments.current("scale")
        assert revision is not None
        found = proof.read(revision.finished, bundles.PORTABLE)
        assert found is not None
        assert (found.passed, found.verdict, found.samples) == (True, "right", 2)
        assert found.error is not None
        assert found.error < 1e-6
        assert found.run_s > 0
        place = revision.finished / bundles.PORTABLE.path
        assert {*found.files, proof.FILE, record.FILE} == {path.name for path in place.iterdir()}
        assert "finished.onnx" in found.files
        assert {path.stat().st_uid for path in place.iterdir()} == {os.geteuid()}
        assert not finishers()

    on_box(scenario)


def test_golden_samples_gate_activation(tmp_path: Path, on_box: OnBox) -> None:
    """A model that disagrees with its golden samples never goes live; the figures are told, the old one goes on."""

    async def scenario(box: StoreBox) -> None:
        good, wrong = bundles.with_model(tmp_path), bundles.with_model(tmp_path, truth=1.01)
        await box.deploy(good)
        with pytest.raises(DeploymentRefused, match=r"y is off by 2\.2 % of what it moves"):
            await box.deploy(wrong)
        assert box.current("scale") == good.digest
        assert "prepare" not in box.host.calls[2:]
        assert len(list(box.home.finished.glob("*/*/"))) == 1
        assert not box.temporaries()

    on_box(scenario)


def test_artifact_that_is_none(tmp_path: Path, on_box: OnBox) -> None:
    """A file that the engine cannot read is refused with the engine's words."""

    async def scenario(box: StoreBox) -> None:
        entry = ArtifactEntry("linear", "portable/fp32", "onnxruntime")
        good = bundles.with_model(tmp_path)
        files = {name: content for name, content in good.files.items() if name != "config.json"}
        broken = bundles.pack(tmp_path, good.config, files | {f"{entry.path}/model.onnx": b"\x08 no model"})
        with pytest.raises(DeploymentRefused, match=r"fails its golden samples .*onnxruntime .* does not load"):
            await box.deploy(broken)

    on_box(scenario)


@pytest.mark.parametrize("end", ["cancelled", "too slow", "killed"])
def test_no_process_is_left(tmp_path: Path, on_box: OnBox, end: str) -> None:
    """A finisher whose waiter leaves, that takes too long, or that dies, is gone, and what it was at is told."""

    async def scenario(box: StoreBox) -> None:
        finished = tmp_path / "finished"
        finisher = ConfinedFinisher(box.host, OsDisk(), 1.5 if end == "too slow" else 60.0)
        task = asyncio.create_task(finisher(_order(_hanging(tmp_path), finished), UNHEARD))
        await until(lambda: task.done() or finishers(), "the finisher runs")
        if end == "cancelled":
            task.cancel()
        if end == "killed":
            os.kill(finishers()[0], signal.SIGKILL)
        words = {"too slow": "not finished within", "killed": "killed by SIGKILL at linear/portable-fp32"}
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        if end == "cancelled":
            assert isinstance(outcome, asyncio.CancelledError)
        else:
            assert isinstance(outcome, DeploymentRefused)
            assert words[end] in str(outcome)
        assert not finishers()
        assert not list(finished.iterdir())

    on_box(scenario)


_BOX = f"""
import asyncio, sys
from pathlib import Path
sys.path.append({str(programs.ROOT)!r})
from edgefn_runtime.artifacts.finish.confined import ConfinedFinisher
from edgefn_runtime.artifacts.order import FinishOrder
from edgefn_runtime.progress import DeploymentProgress
from edgefn_runtime.store.disk import OsDisk
from edgefn_runtime.supervisor import Supervisor
from tests.runtime.pool.bench import Figures, Lines

async def main(bundle, folder, artifact):
    supervisor = Supervisor(Lines(), Figures(), None, drain_s=1.0)
    supervisor.start()
    order = FinishOrder(Path(bundle), Path(folder), Path(folder), (artifact,))
    await ConfinedFinisher(supervisor, OsDisk())(order, DeploymentProgress(lambda event: print(event, flush=True)))

asyncio.run(main(*sys.argv[1:]))
"""


def test_dies_with_the_box(tmp_path: Path) -> None:
    """When the box is killed without a word, its finisher does not go on."""
    order = _order(_hanging(tmp_path), tmp_path / "finished")
    command = [sys.executable, "-c", _BOX, str(order.bundle), str(order.folder), *order.artifacts]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as box:
        assert box.stdout is not None
        assert b"finish" in box.stdout.readline()
        asyncio.run(until(lambda: finishers(box.pid), "the finisher runs"))
        (pid,) = finishers(box.pid)
        box.kill()
    asyncio.run(until(lambda: not alive(pid), "the finisher is gone"))


def test_a_bundle_that_is_none_tells_why(tmp_path: Path, on_box: OnBox) -> None:
    """A finisher that finds no artifact tells what it does not find: the end of its stderr goes to the error."""

    async def scenario(box: StoreBox) -> None:
        folder = bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle")
        for file in (folder / bundles.PORTABLE.path).iterdir():
            file.unlink()
        with pytest.raises(DeploymentRefused, match=r"model\.onnx"):
            await ConfinedFinisher(box.host, OsDisk())(_order(folder, tmp_path / "finished"), UNHEARD)

    on_box(scenario)


def test_the_child_is_confined_and_nice(tmp_path: Path, on_box: OnBox) -> None:
    """It runs at low priority, goes first when memory runs out, and is a user of its own behind seccomp."""

    async def scenario(box: StoreBox) -> None:
        order = _order(_hanging(tmp_path), tmp_path / "finished")
        task = asyncio.create_task(ConfinedFinisher(box.host, OsDisk())(order, DeploymentProgress(lambda event: None)))
        await until(finishers, "the finisher runs")
        (pid,) = finishers()
        await until(lambda: _status(pid)["Seccomp"] == "2", "it is confined")
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
        assert os.getsid(pid) == pid
        assert Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "1000"
        status = _status(pid)
        assert status["NoNewPrivs"] == "1"
        if os.geteuid() == 0:
            assert int(status["Uid"].split()[0]) not in (0, NOBODY)
            assert status["CapEff"] in ("0000000000000000", "0000000000000004")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    on_box(scenario)


def _status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
