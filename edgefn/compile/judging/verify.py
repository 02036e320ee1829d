"""An artifact against its model's golden pairs, as the box will run it: finished, loaded, compared.

Owns the gate of the build. What is right is `edgefn.accuracy`'s to say, which the box uses too.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from edgefn.accuracy.bound import Bound
from edgefn.accuracy.judge import judge_served
from edgefn.accuracy.rules import Judging
from edgefn.accuracy.verdict import Agreement
from edgefn.backends.backend import Backend
from edgefn.compile.judging import engines
from edgefn.errors import BuildError, EdgefnError, GateError
from edgefn.golden import Pairs
from edgefn.session import Session

if TYPE_CHECKING:
    from edgefn.session import Arrays

ROUNDS = 7
"""Timed rounds; each runs both, so that other load on the machine meets both."""

BUDGET_S = 3.0
"""Timing stops after this long, with at least one round."""


class Latency(msgspec.Struct, frozen=True):
    """Median seconds of one run on the first golden sample, one thread each."""

    eager_s: float
    artifact_s: float

    @property
    def ratio(self) -> float:
        return self.artifact_s / self.eager_s


class AccuracyGate(NamedTuple):
    """What an artifact is judged by, see `edgefn.accuracy.judge`; `batched` when calls run together.

    With `engines` its engine is held against ONNX Runtime on the same file, too.
    """

    judging: Judging
    precision: str = "fp32"
    bound: Bound | None = None
    batched: bool = False
    engines: bool = False


def verify(backend: Backend, portable: Path, pairs: Pairs, gate: AccuracyGate, name: str) -> Agreement:
    """Return how the artifact in `portable`, finished for this machine, agrees with the golden pairs.

    Raises BuildError when it does not finish, load or run; being wrong is in the result.
    """
    with tempfile.TemporaryDirectory(prefix="edgefn-verify-") as scratch:
        session = _finished(backend, portable, Path(scratch), name, batched=gate.batched)
        try:
            found = judge_served(
                session,
                pairs,
                gate.judging,
                gate.precision,
                bound=gate.bound,
                batched=gate.batched,
                steps=_steps(portable, gate.precision),
            )
            apart = engines.apart(portable, session, pairs.samples, gate.judging) if gate.engines else ""
            guilt = _guilt(portable, pairs, gate) if found.verdict == "wrong" else None
        except Exception as error:  # an engine's own classes
            raise BuildError(f"{name} fails on its golden samples: {error}") from error
    if guilt is not None:
        return msgspec.structs.replace(found, reason=f"{found.reason} ({guilt.what})", advice=guilt.do)
    if not apart:
        return found
    reason = f"its engine computes the file otherwise than the file says: {apart}; leave this target out"
    return msgspec.structs.replace(found, verdict="wrong", reason=reason)


def _guilt(portable: Path, pairs: Pairs, gate: AccuracyGate) -> engines.Guilt | None:
    return engines.guilty(portable, pairs, gate.judging, gate.precision, bound=gate.bound, batched=gate.batched)


def _steps(portable: Path, precision: str) -> dict[str, float]:
    """Return the steps of the outputs' quantisers, where there are any."""
    if not precision.startswith("int") or not (portable / engines.FILE).exists():
        return {}
    from edgefn.compile.quantize.static import levels

    return levels.steps(portable / engines.FILE)


def check(agreement: Agreement, name: str, *, quantized: bool = False) -> None:
    """Raise GateError with what a user would have seen, unless the artifact is right."""
    if agreement.passed:
        return
    if agreement.verdict == "not shown":
        raise GateError(f"{name} is not shown to be right: {agreement.reason}")
    advice = agreement.advice or (
        "give more calibration=, keep= layers in float, or say what is near enough with accuracy="
        if quantized
        else "mend the network, or say what is near enough with accuracy="
    )
    raise GateError(f"{name} answers otherwise than eager PyTorch: {agreement.reason} ({agreement}); {advice}")


def measure(backend: Backend, portable: Path, eager: Session, inputs: Arrays, name: str) -> Latency:
    """Measure the latency of the finished artifact and of the eager network.

    Both run in interleaved rounds, after one of warm-up.
    """
    with tempfile.TemporaryDirectory(prefix="edgefn-measure-") as scratch:
        session = _finished(backend, portable, Path(scratch), name)
        eager_s: list[float] = []
        artifact_s: list[float] = []
        eager.run(inputs)
        session.run(inputs)
        started = time.monotonic()
        while len(eager_s) < ROUNDS and (not eager_s or time.monotonic() - started < BUDGET_S):
            eager_s.append(_time(eager, inputs))
            artifact_s.append(_time(session, inputs))
    return Latency(statistics.median(eager_s), statistics.median(artifact_s))


def _finished(backend: Backend, portable: Path, folder: Path, name: str, *, batched: bool = False) -> Session:
    try:
        backend.finish(portable, folder)
        return backend.load(folder, batched=batched)
    except EdgefnError as error:
        raise BuildError(f"{name} does not load: {error}") from error


def _time(session: Session, inputs: Arrays) -> float:
    started = time.perf_counter()
    session.run(inputs)
    return time.perf_counter() - started
