"""Compilers side by side: within the room there is, and gone whatever happens. Here they prove; none needs torch."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgefn import golden
from edgefn.accuracy.bound import Bound
from edgefn.compile.jobs import runner
from edgefn.compile.jobs.job import Job, write_job
from edgefn.compile.jobs.runner import CompileLimits, Task
from edgefn.compile.jobs.worker import CompilerExit, children
from edgefn.golden import GoldenSample
from edgefn.quantization import Quantize
from edgefn.targets.profiles import target

Make = Callable[[float], Task]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """`make(2.0)` is a task that proves y = x + x, of which eager PyTorch is said to have given 2 x."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 3]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", values[:1], values[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    files = tmp_path / "files"
    files.mkdir()
    onnx.save(model, files / "model.onnx")
    x = np.array([[1.0, -2.0, 3.0]], np.float32)

    def task(factor: float) -> Task:
        folder = tmp_path / f"task-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        golden.write([GoldenSample({"x": x}, {"y": np.float32(factor) * x})], folder / "golden.npz")
        job = Job(
            model="double",
            target=target("portable/fp32"),
            cache=str(tmp_path),
            golden=str(folder / "golden.npz"),
            judges=(0,),
            bound=Bound(),
            quantize=Quantize(),
            files=str(files),
            prove=True,
        )
        write_job(job, folder)
        return Task(folder, tmp_path / "logs" / f"{folder.name}.log", 100)

    return task


def _room(cores: int, memory_bytes: int = 1000) -> CompileLimits:
    return CompileLimits(cores, memory_bytes, limit_s=60.0)


@pytest.mark.parametrize("room", [_room(1), _room(2), _room(8, 250)], ids=["cores", "two cores", "memory"])
def test_each_has_an_end_of_its_own_and_no_more_run_than_there_is_room_for(make: Make, room: CompileLimits) -> None:
    """A failure is one's own; each starts in its order, beside one other at most."""
    tasks = [make(2.0), make(2.5), make(2.0)]
    began: list[int] = []
    ends: dict[int, CompilerExit] = {}
    for number, ended in runner.run(tasks, room, began.append):
        assert len(began) - len(ends) <= min(room.cores, 2)
        ends[number] = ended
    assert began == [0, 1, 2]
    assert [ends[number].end for number in range(3)] == ["done", "failed", "done"]
    assert ends[1].told.error == "GateError"
    assert ends[1].told.agreement is not None
    assert "portable/fp32 of model double differs from eager PyTorch" in tasks[1].log.read_text()
    assert all(ended.peak_bytes > 10**7 for ended in ends.values())


def test_who_stops_listening_leaves_no_process(make: Make) -> None:
    """As when the portable artifact has failed: the others are ended at once."""
    before = children()
    running = runner.run([make(2.0), make(2.0), make(2.0)], _room(3), lambda number: None)
    next(running)
    running.close()
    assert children() == before


def test_a_limit_ends_one_that_has_only_begun(make: Make) -> None:
    """Whatever it is at; nothing told is nothing done."""
    ((_, ended),) = runner.run([make(2.0)], CompileLimits(1, 1000, limit_s=0.0), lambda number: None)
    assert (ended.end, ended.told.agreement) == ("timed out", None)


def test_a_disk_that_fills_up_is_told_by_who_cannot_even_write_that(make: Make, tmp_path: Path) -> None:
    """The compiler's folder is full, and its log: it cannot tell, and its exit code does."""
    task = make(2.0)
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no small tmpfs can be mounted here")
    try:
        shutil.copy(task.folder / "job.msgpack", disk)
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(512))
        (disk / "log").touch()
        ((_, ended),) = runner.run([replace(task, folder=disk, log=disk / "log")], _room(1), lambda number: None)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert (ended.end, ended.told.error) == ("failed", "")
    assert ended.told.reason == f"no space left on the disk to write {disk}: free some, then try again"


def test_children_are_this_processs_own() -> None:
    """Its parent is none of them."""
    assert os.getppid() not in children()
    assert os.getpid() not in children()
