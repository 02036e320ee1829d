"""One artifact during its build: what the cache holds of it, what its compilers reported, and its report entry."""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TypeVar

import msgspec

from edgefn.accuracy.answers.record import Agreed
from edgefn.accuracy.limits import limits_of
from edgefn.accuracy.verdict import Agreement
from edgefn.bundle.config import ArtifactEntry
from edgefn.compile.artifacts.plan import ArtifactPlan
from edgefn.compile.cache.cache import Cache
from edgefn.compile.jobs.worker import CompilerExit
from edgefn.compile.judging.verify import Latency
from edgefn.compile.lower.lowering import Lowered
from edgefn.compile.report import ArtifactReport, Status
from edgefn.errors import BuildError, GateError
from edgefn.spec import ModelSpec
from edgefn.targets import profiles
from edgefn.text.quantities import format_bytes, format_duration

_FILES, _MADE, _AGREEMENT, _LATENCY, _ANSWERS = "files", "made.json", "agreement.json", "latency.json", "answers.json"
_DOING = {
    "start": "during its start",
    "lower": "while lowering",
    "prove": "while its artifact was checked",
    "answer": "while the handler ran with its artifact",
    "time": "while its artifact was timed",
}

MAX_SLICES = 32
"""Slices in a report, the worst ones."""

T = TypeVar("T")


class MadeArtifact(msgspec.Struct, frozen=True):
    """What is known of an artifact beside its files; `spec` has the network's real outputs."""

    spec: ModelSpec
    lowered: Lowered
    seconds: float
    peak_bytes: int


class Artifact(msgspec.Struct, frozen=True):
    """An artifact that passed: what the bundle says of it, the folder of its files, what the report says."""

    entry: ArtifactEntry
    folder: Path
    spec: ModelSpec
    report: ArtifactReport


class ArtifactBuild:
    """One artifact during its build. `status` is "built" until a step fails."""

    def __init__(self, piece: ArtifactPlan, cache: Cache, log: Path) -> None:
        self.piece = piece
        self.log = log
        self.status: Status = "built"
        self.reason = ""
        self.trace = ""
        self._cache = cache
        self._seconds = 0.0
        self._peak_bytes = 0
        self._logged = False
        self.agreement: Agreement | None = None
        self.answers: Agreed | None = None
        self.latency: Latency | None = None
        self.folder: Path | None = None
        if piece.refusal:
            self.status, self.reason = "dropped", piece.refusal
        else:
            self.folder = cache.find("artifact", piece.key)
            self.agreement = self._read("agreement", piece.proof_key, _AGREEMENT, Agreement)
            self.answers = self._read("compared", piece.answers_key, _ANSWERS, Agreed)
            self.latency = self._read("latency", piece.key, _LATENCY, Latency)
        self.cached = self.folder is not None

    @property
    def open(self) -> bool:
        """Tell whether nothing has failed so far."""
        return self.status == "built"

    @property
    def to_compile(self) -> bool:
        """Tell whether the artifact must still be lowered or proved."""
        return self.open and (self.folder is None or self.agreement is None)

    @property
    def to_answer(self) -> bool:
        """Tell whether the handler's answers with the artifact must still be compared.

        The comparison runs now or after the artifact has been compiled.
        """
        return self.open and self.piece.answers is not None and self.answers is None

    @property
    def to_time(self) -> bool:
        """Tell whether the artifact must still be timed, now or after it has been compiled."""
        return self.open and self.latency is None

    @property
    def files(self) -> Path:
        """Return the folder of the artifact's files, in the cache."""
        assert self.folder is not None
        return self.folder / _FILES

    def absorb(self, ended: CompilerExit, files: Path, spec: ModelSpec | None, limit_s: float) -> None:
        """Record a compiler's results, and store them in the cache.

        Results are stored even when a later step of the same compiler failed. Afterwards `status` and `reason` say how
        the compiler ended.
        """
        told = ended.told
        self._seconds += told.seconds
        self._peak_bytes = max(self._peak_bytes, ended.peak_bytes)
        self._logged = True
        if told.lowered is not None and spec is not None:
            made = MadeArtifact(spec, told.lowered, told.seconds, ended.peak_bytes)
            self.folder = self._cache.make("artifact", self.piece.key, lambda into: _keep(files, made, into))
        self.agreement = told.agreement or self.agreement
        if self.agreement is not None and self.agreement.passed:
            self._write("agreement", self.piece.proof_key, _AGREEMENT, self.agreement)
        self.answers = told.answers or self.answers
        if told.answers is not None and told.answers.passed and not told.answers.unfit:
            self._write("compared", self.piece.answers_key, _ANSWERS, told.answers)
        if told.latency is not None:
            self.latency = told.latency
            self._write("latency", self.piece.key, _LATENCY, told.latency)
        if ended.end != "done":
            self._missing(ended, limit_s)

    def raise_missing(self) -> None:
        """Raise the reason why the artifact is not in the bundle, if there is one.

        Raise GateError or BuildError, with figures.
        """
        if self.status != "built":
            error = (GateError if self.status == "dropped" else BuildError)(self.reason)
            if self.trace:
                error.add_note(self.trace)
            raise error

    def artifact(self) -> Artifact:
        """Return the artifact, which must have passed."""
        made, piece = self._made(), self.piece
        target, toolchain = piece.target, made.lowered.toolchain
        needs = profiles.needs_of(target, piece.profiles).as_made(toolchain)
        entry = ArtifactEntry(piece.model.spec.name, str(target), target.backend, toolchain, needs)
        return Artifact(entry, self.files, made.spec, self.report())

    def report(self) -> ArtifactReport:
        """Return the report entry of the artifact: all that is known up to now."""
        piece, agreement, latency = self.piece, self.agreement, self.latency
        made = self._made() if self.folder is not None else None
        lowered = made.lowered if made else Lowered({})
        return ArtifactReport(
            model=piece.model.spec.name,
            target=str(piece.target),
            backend=piece.target.backend,
            status=self.status,
            size_bytes=sum(path.stat().st_size for path in self.files.rglob("*") if path.is_file()) if made else 0,
            opset=lowered.opset,
            quantized=lowered.quantized,
            kept=lowered.kept,
            share=lowered.share,
            verdict=agreement.verdict if agreement else None,
            error=finite(agreement.error) if agreement else None,
            error_limit=limits_of(piece.target.precision, piece.model.accuracy).error,
            max_error=finite(agreement.max_error) if agreement else None,
            top1=agreement.top1.share if agreement and agreement.top1 else None,
            top1_rows=agreement.top1.rows if agreement and agreement.top1 else 0,
            top_class=str(agreement.top1) if agreement and agreement.top1 and agreement.top1.rows else "",
            slices=tuple(one for one in agreement.slices[:MAX_SLICES] if math.isfinite(one.error)) if agreement else (),
            sizes=agreement.sizes if agreement else 0,
            samples=agreement.samples if agreement else 0,
            bound=piece.bound,
            answers=self.answers,
            latency_ratio=latency.ratio if latency else None,
            latency=latency,
            toolchain=lowered.toolchain,
            seconds=made.seconds if made else self._seconds,
            peak_bytes=made.peak_bytes if made else self._peak_bytes,
            cached=self.cached,
            reason=self.reason,
            warning="; ".join(filter(None, self._warnings())),
            log=str(self.log) if self._logged else "",
        )

    def _warnings(self) -> tuple[str, ...]:
        """Return the warnings about an artifact that is in the bundle."""
        calibration = self.piece.calibration.info.warning if self.piece.calibration else ""
        noted = (calibration, *(self.agreement.notes if self.agreement else ()))
        answers = self.answers
        if answers is None or self.status != "built":
            return noted
        few = f"of its {answers}; one differs, too few to decide: give more samples"
        return (*noted, answers.unfit or (few if answers.verdict == "not shown" else ""))

    def _missing(self, ended: CompilerExit, limit_s: float) -> None:
        told, name = ended.told, self.piece.name
        where = f"; see its log {self.log}"
        match ended.end:
            case "timed out":
                self.status = "timed out"
                self.reason = (
                    f"{name} was not ready in {format_duration(limit_s)} and was stopped {_DOING.get(told.step, '')}: "
                    f"raise --timeout, or compile_timeout in edgefn.toml{where}"
                )
            case "killed":
                self.status = "killed"
                memory = f"it held {format_bytes(ended.peak_bytes)}; " if ended.peak_bytes else ""
                advice = "the machine may have run out of memory" if ended.signal == "SIGKILL" else "its engine crashed"
                step = _DOING.get(told.step, "")
                self.reason = f"{name}: its compiler was killed by {ended.signal} {step}: {memory}{advice}{where}"
            case _:
                gate = told.error == GateError.__name__
                self.status = "dropped" if gate else "failed"
                said = told.reason or f"its compiler ended without an error message {_DOING.get(told.step, '')}"
                self.reason = f"{_named(said, name)}{where}"
                self.trace = told.trace

    def _made(self) -> MadeArtifact:
        assert self.folder is not None
        return msgspec.json.decode((self.folder / _MADE).read_bytes(), type=MadeArtifact)

    def _read(self, kind: str, key: str, name: str, type: type[T]) -> T | None:
        folder = self._cache.find(kind, key)
        return msgspec.json.decode((folder / name).read_bytes(), type=type) if folder else None

    def _write(self, kind: str, key: str, name: str, value: object) -> None:
        text = msgspec.json.encode(value)
        self._cache.make(kind, key, lambda into: (into / name).write_bytes(text))


def finite(number: float) -> float | None:
    """Return a number that JSON has, or None."""
    return number if math.isfinite(number) else None


def _named(reason: str, name: str) -> str:
    """Add the artifact's name to `reason` unless it is there already."""
    target, _, model = name.partition(" of model ")
    if target in reason and model in reason:
        return reason
    return f"{name}: {reason.removeprefix(f'model {model}: ')}"


def _keep(files: Path, made: MadeArtifact, into: Path) -> None:
    shutil.move(files, into / _FILES)
    (into / _MADE).write_bytes(msgspec.json.encode(made))
