"""What a compiler's process is told and what it tells back: files in a folder that both know.

job.msgpack       written before it starts
told.msgpack      written after each step, whole each time; what is there when it dies is what it had done
files/            the artifact, where it is made here
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec

from edgefn.accuracy.answers.record import Agreed
from edgefn.accuracy.rules import Judging
from edgefn.accuracy.verdict import Agreement
from edgefn.backends.backend import Lowered
from edgefn.bundle.config import Bound
from edgefn.compile.answers.trial import AnswerTrial
from edgefn.compile.judging.verify import Latency
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
        """The artifact's, for people."""
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
    """The job is in `folder`, for the compiler to read."""
    (folder / _JOB).write_bytes(msgspec.msgpack.encode(job))


def read_job(folder: Path) -> Job:
    """The job that `folder` holds."""
    return msgspec.msgpack.decode((folder / _JOB).read_bytes(), type=Job)


def tell(told: JobProgress, folder: Path) -> None:
    """What is told is in `folder`, whole, or what was there before still is."""
    partial = folder / f"{_TOLD}~"
    partial.write_bytes(msgspec.msgpack.encode(told))
    os.replace(partial, folder / _TOLD)


def read_told(folder: Path) -> JobProgress:
    """What the compiler told last; nothing at all when it died before."""
    try:
        return msgspec.msgpack.decode((folder / _TOLD).read_bytes(), type=JobProgress)
    except FileNotFoundError:
        return JobProgress()
