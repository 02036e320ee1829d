"""What a compiler's process is asked and what it reports: files in a folder that both sides know.

job.msgpack       written before the process starts
told.msgpack      written after each step, atomically; when the process dies, it holds the finished steps
files/            the artifact, where it is made here
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from edgefn.accuracy.answers.record import Agreed
from edgefn.accuracy.bound import Bound
from edgefn.accuracy.rules import Judging
from edgefn.accuracy.verdict import Agreement
from edgefn.compile.answers.trial import AnswerTrial
from edgefn.compile.judging.verify import Latency
from edgefn.compile.lower.lowering import Lowered
from edgefn.quantization import Quantize
from edgefn.targets.profiles import Target

Step = Literal["start", "lower", "prove", "answer", "time", "done"]

_JOB, _TOLD = "job.msgpack", "told.msgpack"


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """One artifact of one model, and which steps towards it are still to be done.

    cache        the build's cache, where ONNX files of the capture are shared
    capture      folder of the snapshot; "" where neither lowering nor timing is asked for
    golden       the golden pairs' file; `judges` are the numbers of the samples that the artifact is held against
    judging      what it is judged by; `sizes_file` has the pairs at other sizes
    calibration  file of the calibration samples; "" where the target needs none
    opset        (lowest, highest) that the target's runtime reads; () for any
    profiles     the project's folder of profiles; "" where there is no project
    files        folder of the artifact
    trial        what the handler's answers are compared with; None where they are not
    """

    model: str
    target: Target
    cache: str
    capture: str = ""
    golden: str
    judges: tuple[int, ...]
    sizes_file: str = ""
    calibration: str = ""
    sizes: dict[str, int] = {}
    judging: Judging = Judging()
    bound: Bound | None = None
    quantize: Quantize
    batched: bool = False
    opset: tuple[int, ...] = ()
    profiles: str = ""
    files: str
    lower: bool = False
    prove: bool = False
    time: bool = False
    trial: AnswerTrial | None = None

    @property
    def name(self) -> str:
        """Return the artifact's name, for messages."""
        return f"{self.target} of model {self.model}"


class JobProgress(msgspec.Struct, kw_only=True):
    """What a compiler has done so far. `step` is the one it is at; `error` the class of what ended it, or empty.

    Written as MessagePack, which has infinity: an error of an artifact may be infinite.
    """

    step: Step = "start"
    lowered: Lowered | None = None
    agreement: Agreement | None = None
    answers: Agreed | None = None
    latency: Latency | None = None
    seconds: float = 0.0
    peak_bytes: int = 0
    error: str = ""
    reason: str = ""
    trace: str = ""


def write_job(job: Job, folder: Path) -> None:
    """Write the job to `folder`, for the compiler to read."""
    (folder / _JOB).write_bytes(msgspec.msgpack.encode(job))


def read_job(folder: Path) -> Job:
    """Read the job in `folder`."""
    return msgspec.msgpack.decode((folder / _JOB).read_bytes(), type=Job)


def tell(told: JobProgress, folder: Path) -> None:
    """Write the progress to `folder`, atomically: a reader sees the old or the new file, whole."""
    partial = folder / f"{_TOLD}~"
    partial.write_bytes(msgspec.msgpack.encode(told))
    os.replace(partial, folder / _TOLD)


def read_told(folder: Path) -> JobProgress:
    """Read the compiler's last progress; empty progress when it died before the first."""
    try:
        return msgspec.msgpack.decode((folder / _TOLD).read_bytes(), type=JobProgress)
    except FileNotFoundError:
        return JobProgress()
