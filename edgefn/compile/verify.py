"""An artifact against its model's golden samples, as the box will run it: finished, loaded, compared.

Owns the gate of the build. What agreement means is `edgefn.golden`'s, which the box uses too.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from edgefn import golden
from edgefn.backends.backend import Backend, Session
from edgefn.bundle.config import Bound
from edgefn.errors import BuildError, EdgefnError, GateError
from edgefn.golden import Agreement, GoldenSample

if TYPE_CHECKING:
    from edgefn.backends.backend import Arrays

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


def verify(
    backend: Backend,
    portable: Path,
    samples: Sequence[GoldenSample],
    bound: Bound,
    name: str,
    *,
    batched: bool = False,
) -> Agreement:
    """How the artifact in `portable`, finished for this machine, agrees with the golden samples.

    With `batched` also when each sample is run beside another. Raises BuildError when it does not finish, load or
    run; being out of bound is in the result.
    """
    with tempfile.TemporaryDirectory(prefix="edgefn-verify-") as scratch:
        session = _finished(backend, portable, Path(scratch), name, batched=batched)
        try:
            return golden.compare_served(session, samples, bound, batched=batched)
        except Exception as error:  # an engine's own classes
            raise BuildError(f"{name} fails on its golden samples: {error}") from error


def gate(agreement: Agreement, name: str, *, quantized: bool = False) -> None:
    """Raises GateError with the figures unless the bound is kept; the advice is another where it is `quantized`."""
    if agreement.passed:
        return
    advice = (
        "give more calibration=, keep= layers in float, or set quantize=Quantize(bound=...) if this is near enough"
        if quantized
        else "mend the network, or set @edge_model(tolerance=...) if this is near enough"
    )
    raise GateError(f"{name} disagrees with eager PyTorch: {agreement.reason} ({agreement}); {advice}")


def measure(backend: Backend, portable: Path, eager: Session, inputs: Arrays, name: str) -> Latency:
    """The finished artifact's and the eager network's latency, in interleaved rounds after one of warm-up."""
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
