"""A backend and its lowering for tests, installed by entry points: what a target's profile is called, it does.

    good      lowers as ONNX Runtime does; to int8 too, of which it says that one operator is
    leaves    the same, and leaves children behind        wrong     an artifact that gives other numbers
    raises    an exception of no class of ours            killed    is killed, as for want of memory
    hangs     never ends, nor does the child it starts    crashes   lowers well, crashes when it is loaded
    near      numbers that are off by less than a bound   dies      lowers well, crashes when the handler runs with it

Each lowering, its temporary folder, and each child's pid is a line in the file that LAB_NOTES names.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn import backends
from edgefn.compile import lower
from edgefn.compile.lower.lowering import Lowered
from edgefn.compile.samples.calibration import content
from edgefn.targets.probe import Probe

if TYPE_CHECKING:
    from edgefn.compile.lower.lowering import Captured
    from edgefn.session import Session
    from edgefn.targets.profiles import Target

BEHAVIOURS = ("good", "leaves", "wrong", "raises", "killed", "hangs", "crashes", "near", "dies")

PROFILE = """\
description = "what compilers do to us"

[[runtimes]]
backend = "{backend}"
precisions = ["fp32", "int8"]
opset = [7, 23]
"""

EATEN_BYTES = 400 * 2**20
_CRASH, _DEATH = "crash", "death"


class Lab:
    """The backend called "lab", and its lowering."""

    name = "lab"
    fork_safe = True

    def probe(self) -> Probe:
        return Probe(True, "1.0", "lab 1.0")

    def warm_up(self) -> None:
        pass

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        note(f"lower {target}")
        note(f"temporary {tempfile.mkdtemp()}")
        print(f"lab lowers {target}", flush=True)
        match target.profile:
            case "raises":
                raise RuntimeError("the toolchain has a fault\nof many lines")
            case "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hangs":
                start_child()
                signal.pause()
            case "leaves":
                start_child()
                start_child(start_new_session=True)
        lowered = lower.get("onnxruntime").lower(captured, _portable(), folder)
        if target.profile in ("wrong", "near"):
            _spoil(folder / "model.onnx", 1.5 if target.profile == "wrong" else 1.00001)
        if target.profile in ("crashes", "dies"):
            (folder / (_CRASH if target.profile == "crashes" else _DEATH)).touch()
        if target.precision == "int8":
            eaten = bytearray(os.urandom(4096) * (EATEN_BYTES // 4096))
            note(json.dumps([content(sample) for sample in captured.calibration]))
            return Lowered(lowered.toolchain, lowered.opset, {"Gemm": len(eaten) // EATEN_BYTES}, ("last",))
        return Lowered(lowered.toolchain, lowered.opset)

    def finish(self, portable: Path, folder: Path) -> None:
        if (portable / _CRASH).exists():
            os.kill(os.getpid(), signal.SIGSEGV)
        if (portable / _DEATH).exists() and "talk" in sys.modules:  # the user's module: the handler is about to run
            os.kill(os.getpid(), signal.SIGSEGV)
        backends.get("onnxruntime").finish(portable, folder)

    def load(self, folder: Path, *, threads: int = 1, batched: bool = False) -> Session:
        return backends.get("onnxruntime").load(folder, threads=threads, batched=batched)


class Absent(Lab):
    """The backend called "absent", whose engine is not installed."""

    name = "absent"

    def probe(self) -> Probe:
        return Probe(False, fix="pip install absent-engine")


def note(line: str) -> None:
    """A line more in the notes."""
    with open(os.environ["LAB_NOTES"], "a", encoding="utf-8") as notes:
        notes.write(f"{line}\n")


def start_child(*, start_new_session: bool = False) -> None:
    """A process that waits for ever, its pid noted."""
    child = subprocess.Popen(
        [sys.executable, "-c", "import signal; signal.pause()"],
        stdin=subprocess.DEVNULL,
        start_new_session=start_new_session,
    )
    note(f"pid {child.pid}")


def _portable() -> Target:
    from edgefn.targets import profiles

    return profiles.target("portable/fp32")


def _spoil(path: Path, factor: float) -> None:
    import numpy as np
    import onnx

    model = onnx.load(path)
    for weights in model.graph.initializer:
        weights.CopyFrom(
            onnx.numpy_helper.from_array(
                np.asarray(onnx.numpy_helper.to_array(weights) * np.float32(factor)), weights.name
            )
        )
    onnx.save(model, path)
