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
from edgefn_runtime.deployment import proof
from edgefn_runtime.deployment.finishing import finish_in_child
from edgefn_runtime.deployment.order import Order
from edgefn_runtime.deployment.progress import UNHEARD, Progress
from tests.runtime.deployment import bundles
from tests.runtime.deployment.boxes import opened, until


def _children(finished: Path) -> list[int]:
    """The finisher processes that work on `finished`."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if os.fsencode(finished) in words and b"edgefn_runtime.process.finisher" in words:
                found.append(int(folder.name))
    return found


def _order(folder: Path, finished: Path) -> Order:
    return Order(folder, finished, finished, (bundles.PORTABLE.path,))


def _hanging(tmp_path: Path) -> Path:
    """An unpacked bundle whose golden samples never come: a pipe that nobody writes to."""
    folder = bundles.unpacked(bundles.with_model(tmp_path), tmp_path / "bundle")
    (folder / "golden" / "linear.npz").unlink()
    os.mkfifo(folder / "golden" / "linear.npz")
    return folder


def test_finishes_and_proves(tmp_path: Path) -> None:
    """A deployed model is finished by its engine, held against its golden samples, and its proof has the figures."""

    async def scenario() -> None:
        async with opened(tmp_path / "home", finisher=finish_in_child) as box:
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
            assert "finished.onnx" in found.files
            assert not _children(revision.finished)

    asyncio.run(scenario())


def test_golden_samples_gate_activation(tmp_path: Path) -> None:
    """A model that disagrees with its golden samples never goes live; the figures are told, the old one goes on."""

    async def scenario() -> None:
        async with opened(tmp_path / "home", finisher=finish_in_child) as box:
            good, wrong = bundles.with_model(tmp_path), bundles.with_model(tmp_path, truth=1.01)
            await box.deploy(good)
            with pytest.raises(DeploymentRefused, match=r"y is off by 2\.2 % of what it moves"):
                await box.deploy(wrong)
            assert box.current("scale") == good.digest
            assert "prepare" not in box.host.calls[2:]
            assert len(list(box.home.finished.glob("*/*/"))) == 1
            assert not box.temporaries()

    asyncio.run(scenario())


def test_artifact_that_is_none(tmp_path: Path) -> None:
    """A file that the engine cannot read is refused with the engine's words."""

    async def scenario() -> None:
        entry = ArtifactEntry("linear", "portable/fp32", "onnxruntime")
        good = bundles.with_model(tmp_path)
        files = {name: content for name, content in good.files.items() if name != "config.json"}
        broken = bundles.pack(tmp_path, good.config, files | {f"{entry.path}/model.onnx": b"\x08 no model"})
        async with opened(tmp_path / "home", finisher=finish_in_child) as box:
            with pytest.raises(DeploymentRefused, match=r"fails its golden samples .*onnxruntime .* does not load"):
                await box.deploy(broken)

    asyncio.run(scenario())


@pytest.mark.parametrize("end", ["cancelled", "too slow", "killed"])
def test_no_process_is_left(tmp_path: Path, end: str) -> None:
    """A finisher whose waiter leaves, that takes too long, or that dies, is gone, and what it wrote to is told."""

    async def scenario() -> None:
        folder, finished = _hanging(tmp_path), tmp_path / "finished"
        started = asyncio.Event()
        progress = Progress(lambda event: started.set())
        limit_s = 1.5 if end == "too slow" else 60.0
        task = asyncio.create_task(finish_in_child(_order(folder, finished), progress, limit_s))
        await asyncio.wait({asyncio.create_task(started.wait()), task}, return_when=asyncio.FIRST_COMPLETED)
        if end == "cancelled":
            task.cancel()
        if end == "killed":
            await until(lambda: _children(finished), "the finisher runs")
            os.kill(_children(finished)[0], signal.SIGKILL)
        words = {"too slow": "not finished within", "killed": "killed by SIGKILL at linear portable/fp32"}
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        if end == "cancelled":
            assert isinstance(outcome, asyncio.CancelledError)
        else:
            assert isinstance(outcome, DeploymentRefused)
            assert words[end] in str(outcome)
        assert not _children(finished)

    asyncio.run(scenario())


def test_dies_with_the_box(tmp_path: Path) -> None:
    """When the box is killed without a word, its finisher does not go on."""
    folder, finished = _hanging(tmp_path), tmp_path / "finished"
    script = (
        "import asyncio, sys; from pathlib import Path\n"
        "from edgefn_runtime.deployment.finishing import finish_in_child\n"
        "from edgefn_runtime.deployment.order import Order\n"
        "from edgefn_runtime.deployment.progress import Progress\n"
        "asyncio.run(finish_in_child(Order.of(sys.argv[1:]), Progress(lambda e: print(e, flush=True))))"
    )
    command = [sys.executable, "-c", script, *_order(folder, finished).words]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as box:
        assert box.stdout is not None
        assert b"finish" in box.stdout.readline()
        assert _children(finished)
        box.kill()
    asyncio.run(until(lambda: not _children(finished), "the finisher is gone"))


def test_crash_keeps_its_last_words(tmp_path: Path) -> None:
    """A finisher that cannot even start tells why: the end of its stderr goes to the error."""

    async def scenario() -> None:
        (tmp_path / "bundle").mkdir()
        with pytest.raises(DeploymentRefused, match="FileNotFoundError") as caught:
            await finish_in_child(_order(tmp_path / "bundle", tmp_path / "finished"), UNHEARD)
        assert "Traceback" in caught.value.trace

    asyncio.run(scenario())


def test_child_is_nice_and_alone(tmp_path: Path) -> None:
    """The finisher runs at low priority, in a session of its own, with one thread for each numeric library."""

    async def scenario() -> None:
        folder, finished = _hanging(tmp_path), tmp_path / "finished"
        started = asyncio.Event()
        task = asyncio.create_task(finish_in_child(_order(folder, finished), Progress(lambda event: started.set())))
        await started.wait()
        (pid,) = _children(finished)
        assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
        assert os.getsid(pid) == pid
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert {b"ORT_DISABLE_TELEMETRY=1", b"OMP_NUM_THREADS=1", b"OPENBLAS_NUM_THREADS=1"} <= set(environment)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
