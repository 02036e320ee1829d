"""The artifacts of one function, each compiled in a process of its own; none is made that the cache has.

    capture    once a model, here; what its artifacts are judged by
    compile    lower and prove: side by side, as memory allows; a function's only model answers there, too
    answer     the handler's answers, for functions of several models: each with the others' portable artifacts
    time       against eager PyTorch: one after the other, when nothing else computes

Owns that order. What one artifact's compiler does is no other's; the portable artifact's failure alone ends the build.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn.compile.answers.trial import AnswerTrial
from edgefn.compile.artifacts.making import ArtifactBuild
from edgefn.compile.artifacts.plan import ArtifactPlan
from edgefn.compile.author import boundary
from edgefn.compile.cache.cache import TEMPORARY, Cache
from edgefn.compile.capture import snapshot
from edgefn.compile.events import BuildSteps
from edgefn.compile.jobs import capacity, runner
from edgefn.compile.jobs.job import write_job
from edgefn.compile.jobs.runner import CompileLimits, Task
from edgefn.compile.judging import judgements
from edgefn.compile.judging.judgement import Judgement
from edgefn.system import machine
from edgefn.targets.groups import PORTABLE

if TYPE_CHECKING:
    from edgefn.compile.capture.capture import Capture
    from edgefn.compile.capture.eager import EagerSession
    from edgefn.compile.files.onnx_capture import OnnxCapture

STEPS = ("compile", "answer", "time")
"""Steps of `Artifacts.build` after a "capture" for each model."""


class Artifacts:
    """Makes artifacts with `cache`, from the networks in `sessions` or new ones; logs go below `logs`."""

    def __init__(
        self, cache: Cache, steps: BuildSteps, sessions: dict[str, EagerSession], logs: Path, limit_s: float
    ) -> None:
        self._cache = cache
        self._steps = steps
        self._sessions = sessions
        self._logs = logs
        self.judgements: dict[str, Judgement] = {}
        self._portables: dict[str, ArtifactBuild] = {}
        self._room = CompileLimits(machine.whole_cores(), machine.available_bytes(), limit_s)

    def build(self, pieces: Sequence[ArtifactPlan]) -> list[ArtifactBuild]:
        """Build each of `pieces`; return one result for each, in the same order.

        Raise BuildError or GateError when the portable artifact fails.
        """
        makings = [ArtifactBuild(piece, self._cache, self._log(piece)) for piece in pieces]
        self._portables = {one.piece.model.spec.name: one for one in makings if str(one.piece.target) == PORTABLE}
        with tempfile.TemporaryDirectory(prefix=TEMPORARY, dir=self._cache.root) as scratch:
            captures = self._capture(makings)
            self.judgements |= self._judge(makings, captures)
            waiting = [making for making in makings if making.to_compile]
            # A single artifact is timed by the process that made it: nothing else computes then, and it costs no start.
            alone = len(waiting) == sum(making.to_time for making in makings) == 1 and waiting[0].to_time
            self._run(waiting, captures, Path(scratch), "compile", time=alone)
            asked = [making for making in makings if making.to_answer]
            self._run(asked, captures, Path(scratch), "answer", time=False)
            slow = [making for making in makings if making.to_time]
            self._run(slow, captures, Path(scratch), "time", time=True)
        for making in makings:
            self._tell(making)
        return makings

    def _log(self, piece: ArtifactPlan) -> Path:
        path = self._logs / f"{piece.model.spec.name}-{str(piece.target).replace('/', '-')}.log"
        path.unlink(missing_ok=True)
        return path

    def _capture(self, makings: Sequence[ArtifactBuild]) -> dict[str, Path]:
        """Capture each model that a compiler needs; return the folders of the snapshots by model name."""
        needed = {
            one.piece.model.spec.name: one.piece
            for one in makings
            if one.open and (not one.folder or one.to_time or judgements.known(self._cache, one.piece) is None)
        }
        models = {making.piece.model.spec.name for making in makings}
        self._steps.skip(len(models) - len(needed))
        return {name: self._captured(piece) for name, piece in needed.items()}

    def _judge(self, makings: Sequence[ArtifactBuild], captures: Mapping[str, Path]) -> dict[str, Judgement]:
        """Return what each model's artifacts are judged by, by the model's name."""
        pieces = {making.piece.model.spec.name: making.piece for making in makings if making.open}
        return {
            name: judgements.known(self._cache, piece)
            or judgements.found(self._cache, piece, captures[name], functools.partial(self._session, piece))
            for name, piece in pieces.items()
        }

    def _captured(self, piece: ArtifactPlan) -> Path:
        from edgefn.compile.capture.capture import capture
        from edgefn.compile.capture.eager import one_thread
        from edgefn.compile.files.opening import CapturesItself

        self._steps.begin("capture", model=piece.model.spec.name)
        if folder := self._cache.find("capture", piece.capture_key):
            return folder
        session = self._session(piece)
        network = session.network  # built here, where its builder's reads are observed

        def captured() -> Capture | OnnxCapture:
            with one_thread():
                return (
                    network.captured(piece.sizes)
                    if isinstance(network, CapturesItself)
                    else capture(session, piece.sizes)
                )

        def fill(into: Path) -> None:
            snapshot.write(captured(), into)

        snapshot.forget(self._cache, piece.capture_key)
        return boundary.unobserved(lambda: self._cache.make("capture", piece.capture_key, fill))

    def _session(self, piece: ArtifactPlan) -> EagerSession:
        """Return the piece's network in eager PyTorch, built once."""
        from edgefn.compile.capture.eager import EagerSession

        model = piece.model
        return self._sessions.setdefault(model.spec.name, EagerSession(model.builder, model.spec))

    def _run(
        self, makings: Sequence[ArtifactBuild], captures: Mapping[str, Path], scratch: Path, step: str, *, time: bool
    ) -> None:
        """Run a compiler for each of `makings`: lower and prove, answer, or time.

        The step "time" runs one compiler at a time.
        """
        if not makings:
            self._steps.skip(1)
            return
        self._steps.begin(step, artifacts=len(makings))
        tasks = [
            self._task(making, captures, scratch / f"{step}-{number}", time=time)
            for number, making in enumerate(makings)
        ]
        room = replace(self._room, cores=1) if step == "time" else self._room
        for number, ended in runner.run(tasks, room, lambda number: self._started(makings[number], step)):
            making = makings[number]
            capture = captures.get(making.piece.model.spec.name)
            spec = snapshot.info(capture).model if capture else None
            making.absorb(ended, tasks[number].folder / "files", spec, room.limit_s)
            self._ended(making, step)
            if str(making.piece.target) == PORTABLE and not making.open:
                self._tell(making)
                making.raise_missing()

    def _task(self, making: ArtifactBuild, captures: Mapping[str, Path], folder: Path, *, time: bool) -> Task:
        folder.mkdir()
        piece, capture = making.piece, captures.get(making.piece.model.spec.name)
        lower = making.folder is None
        files = folder / "files" if lower else making.files
        job = piece.job(
            self._cache.root,
            files,
            capture,
            self.judgements[piece.model.spec.name],
            lower=lower,
            prove=making.agreement is None,
            time=time,
            trial=self._trial(making),
        )
        write_job(job, folder)
        weights = snapshot.info(capture).weights_bytes if capture else 0
        samples = piece.calibration.path.stat().st_size if piece.calibration else 0
        return Task(folder, making.log, capacity.estimate(weights, samples))

    def _trial(self, making: ArtifactBuild) -> AnswerTrial | None:
        """Return the input of the step "answer" for an artifact, or None.

        None: the handler's answers need no comparison, or another model has no portable artifact yet.
        """
        answers = making.piece.answers
        others = {name: one for name, one in self._portables.items() if name != making.piece.model.spec.name}
        if answers is None or not making.to_answer or any(one.folder is None for one in others.values()):
            return None
        return AnswerTrial(
            str(answers.folder),
            answers.handler,
            str(answers.path),
            tuple(str(sample.path) for sample in answers.samples),
            {name: (one.piece.target.backend, str(one.files)) for name, one in others.items()},
            {name: str(place) for name, place in answers.packages.items()},
        )

    def _started(self, making: ArtifactBuild, step: str) -> None:
        self._steps.events("compiler", state="started", doing=step, **_members(making))

    def _ended(self, making: ArtifactBuild, step: str) -> None:
        told = {"status": making.status, "reason": making.reason}
        self._steps.events("compiler", state="ended", doing=step, **_members(making), **told)

    def _tell(self, making: ArtifactBuild) -> None:
        if making.answers is not None:
            self._steps.events("answers", **_members(making), **msgspec.to_builtins(making.answers))
        if making.agreement is not None:
            figures = msgspec.to_builtins(making.agreement)
            bound = msgspec.to_builtins(making.piece.bound)
            told = {"passed": making.agreement.passed, "bound": bound}
            self._steps.events("check", **_members(making), **figures, **told)
        self._steps.events("artifact", **msgspec.to_builtins(making.report()))


def _members(making: ArtifactBuild) -> dict[str, Any]:
    return {"model": making.piece.model.spec.name, "target": str(making.piece.target)}
