"""`python -m edgefn.compile.jobs.lowering FOLDER`: one artifact made, proved or timed, in a process of its own.

FOLDER holds the job (`edgefn.compile.jobs.job`). The progress is written there after each step, so a crash of a
toolchain or an engine costs only this process and its current step. stdout and stderr are the log.
Decides whether an artifact passes its gates; never what becomes of the build.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn import backends, golden
from edgefn.compile import lower
from edgefn.compile.answers import trial
from edgefn.compile.author import blame
from edgefn.compile.jobs import machine
from edgefn.compile.jobs.job import Job, JobProgress, read_job, tell
from edgefn.compile.judging import verify
from edgefn.compile.lower.lowering import Lowered
from edgefn.errors import BuildError, DiskFull, EdgefnError, GateError
from edgefn.system.durable import explained_when_full

if TYPE_CHECKING:
    from edgefn.compile.answers.trial import AnswerTrial
    from edgefn.compile.capture.snapshot import Snapshot

FAILED = 1


def main(arguments: list[str] | None = None) -> int:
    """Do the job in the folder that the command line names; return the exit code."""
    (folder,) = map(Path, sys.argv[1:] if arguments is None else arguments)
    end_with_standard_input()
    try:
        with explained_when_full(folder):
            return _done(Work(read_job(folder), folder), folder)
    except DiskFull:  # there is not even room to tell, nor, it may be, to log what Python would flush at its end
        os._exit(DiskFull.exit_code)


def _done(work: Work, folder: Path) -> int:
    """Do the job, or report its failure; return the exit code."""
    try:
        with explained_when_full(folder):
            work.run()
    except EdgefnError as error:
        return work.failed(type(error).__name__, str(error), blame.author(error))
    except Exception as error:  # whatever a toolchain raises; its whole trace is in the log
        return work.failed(BuildError.__name__, f"{type(error).__name__}: {blame.first_line(error)}", "")
    return 0


def end_with_standard_input() -> None:
    """Kill this process group when standard input ends, at any point of its work.

    The build holds the other end, and the kernel closes it however the build dies. A separate process waits for that: a
    thread would wait for the interpreter lock, which a toolchain may hold.
    """
    if os.fork() == 0:
        os.read(0, 1)
        os.killpg(0, signal.SIGKILL)
    empty = os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)


class Work:
    """A job during its run; reports its progress after each step."""

    def __init__(self, job: Job, folder: Path) -> None:
        self.job = job
        self.told = JobProgress()
        self._folder = folder
        self._began = time.monotonic()

    def run(self) -> None:
        """Run the steps of the job. Raise the error that ends it: GateError when the artifact does not pass."""
        self._tell()
        if self.job.lower:
            self.told.step = "lower"
            self._tell()
            self.told.lowered = self._lower(self._snapshot())
        if self.job.prove:
            self.told.step = "prove"
            self._tell()
            if self.told.lowered is not None:
                check_lowered(self.told.lowered, self.job)
            self._prove()
        if self.job.trial is not None:
            self.told.step = "answer"
            self._tell()
            self._answer(self.job.trial)
        if self.job.time:
            self.told.step = "time"
            self._tell()
            self._time(self._snapshot())
        self.told.step = "done"
        self._tell()

    def failed(self, error: str, reason: str, trace: str) -> int:
        """Report the failure and log it; return the exit code."""
        traceback.print_exc()
        self.told.error, self.told.reason, self.told.trace = error, reason, trace
        self._tell()
        return FAILED

    def _tell(self) -> None:
        self.told.seconds = round(time.monotonic() - self._began, 3)
        self.told.peak_bytes = peak_bytes()
        tell(self.told, self._folder)

    def _snapshot(self) -> Snapshot:
        from edgefn.compile.capture.snapshot import Snapshot

        return Snapshot(self.job)

    def _lower(self, snapshot: Snapshot) -> Lowered:
        from edgefn.compile.capture.eager import one_thread, seeded

        files = Path(self.job.files)
        with seeded(), one_thread():
            lowered = lower.get(self.job.target.backend).lower(snapshot, self.job.target, files)
        if not files.is_dir() or not any(files.iterdir()):
            raise BuildError(f"the lowering {self.job.target.backend} wrote no file")
        return lowered

    def _prove(self) -> None:
        job = self.job
        pairs = golden.load_pairs(Path(job.golden))
        held_out = golden.load_pairs(Path(job.calibration)).held_out if job.calibration else ()
        judges = pairs._replace(
            samples=tuple(pairs.samples[number] for number in job.judges),
            held_out=held_out,
            sizes=golden.load_pairs(Path(job.sizes_file)).sizes if job.sizes_file else (),
        )
        backend = backends.get(job.target.backend)
        foreign = job.target.backend != "onnxruntime" and job.target.precision.startswith("int")
        gate = verify.AccuracyGate(job.judging, job.target.precision, job.bound, batched=job.batched, engines=foreign)
        self.told.agreement = verify.verify(backend, Path(job.files), judges, gate, job.name)
        verify.check(self.told.agreement, job.name, quantized=job.target.precision.startswith("int"))

    def _answer(self, job: AnswerTrial) -> None:
        target, name = self.job.target, self.job.name
        self.told.answers = trial.run(job, self.job.model, target, Path(self.job.files))
        trial.gate(self.told.answers, name, job.handler, quantized=target.precision.startswith("int"))

    def _time(self, snapshot: Snapshot) -> None:
        from edgefn.compile.capture.eager import one_thread

        inputs = golden.load(Path(self.job.golden))[0].inputs
        backend = backends.get(self.job.target.backend)
        with one_thread():
            self.told.latency = verify.measure(backend, Path(self.job.files), snapshot.eager(), inputs, self.job.name)


def check_lowered(lowered: Lowered, job: Job) -> None:
    """Raise GateError unless the artifact has the precision and the opset that its target promises."""
    if job.target.precision.startswith("int") and not sum(lowered.quantized.values()):
        raise GateError(
            f"{job.name} has no {job.target.precision} operator: its toolchain left all in float. See its log, try "
            "another method= of Quantize, or leave the target out"
        )
    if lowered.opset and job.opset and not job.opset[0] <= lowered.opset <= job.opset[1]:
        raise GateError(
            f"{job.name} has ONNX opset {lowered.opset}, and the target reads {job.opset[0]} to {job.opset[1]}: its "
            "backend must ask for one of those"
        )


def peak_bytes() -> int:
    """Return the peak memory in bytes of this process, or of a child that it waited for if that is larger."""
    waited_for = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return max(machine.peak_bytes(), waited_for)


if __name__ == "__main__":
    sys.exit(main())
