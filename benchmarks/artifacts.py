"""The classifier in every form that this machine can run, beside eager PyTorch: speed, size, and whether it is right.

One process and one thread, the forms in turns. Each run that counts follows one that does not, as the others have
had the caches in between. Agreement is with eager float32 on held-out crops (benchmarks/crops.py).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import stage
from benchmarks.crops import held_out
from benchmarks.figure import Figure, ratio
from benchmarks.stage import CLASSIFIER
from edgefn import backends
from edgefn.bundle import archive, references
from edgefn.bundle.config import ArtifactEntry
from edgefn.bundle.oci.layout import Bundle
from edgefn.session import Session
from tests.e2e.bundles import EXAMPLES

ROUNDS, RUNS = 20, 3
SURE = 0.3
"""Eager's probability above which a crop counts as one that shows something."""
BEST_FP32, BEST_INT8 = 0.25, 0.20
AGREES_SURELY, AGREES = 0.99, 0.93
SIZE = 0.30


@dataclass(frozen=True)
class Form:
    """An artifact, loaded: what the bundle says of it, the bytes of its files there, its session."""

    entry: ArtifactEntry
    size: int
    session: Session


def measure() -> Iterator[Figure]:
    """Ratios to eager of each form; then the best of each precision beside its bound."""
    bundle = stage.workshop().natively(CLASSIFIER)
    eager = _eager()
    crops = held_out()
    wanted = _scores(eager, crops)
    with tempfile.TemporaryDirectory(prefix="edgefn-bench-") as folder:
        forms = {form.entry.target: form for form in _forms(bundle, Path(folder))}
        times = _times({"eager": eager} | {name: form.session for name, form in forms.items()}, crops[:1])
        agreements = {name: _agreement(form, crops, wanted) for name, form in forms.items()}
    yield Figure("PyTorch eager, one crop", 1000 * statistics.median(times["eager"]), "ms", "one thread")
    for name in sorted(forms, key=lambda one: statistics.median(times[one])):
        yield _told(name, forms[name], times, agreements[name])
    yield from _best("fp32", forms, times, agreements, BEST_FP32)
    yield from _best("int8", forms, times, agreements, BEST_INT8)


def _told(name: str, form: Form, times: Mapping[str, list[float]], agreement: tuple[float, float]) -> Figure:
    sure, all_ = agreement
    took = f"{1000 * statistics.median(times[name]):.1f} ms, {form.size / 1e6:.1f} MB"
    return ratio(
        f"{name} / eager", times[name], times["eager"], f"{took}, top-1 {sure:.3f} where sure, {all_:.3f} of all"
    )


def _best(
    precision: str,
    forms: Mapping[str, Form],
    times: Mapping[str, list[float]],
    agreements: Mapping[str, tuple[float, float]],
    bound: float,
) -> Iterator[Figure]:
    """The fastest form of `precision`, which has passed its gates at build."""
    names = [name for name, form in forms.items() if form.entry.precision == precision]
    best = min(names, key=lambda name: statistics.median(times[name]))
    yield ratio(f"best {precision} / eager, latency", times[best], times["eager"], best, bound)
    sure, all_ = agreements[best]
    if precision == "fp32":
        return
    how = f"{best}, against eager on held-out crops"
    yield Figure(f"{precision} top-1 where eager's p > {SURE}", sure, "share", how, AGREES_SURELY, "more")
    yield Figure(f"{precision} top-1 of all crops", all_, "share", how, AGREES, "more")
    portable = forms["portable/fp32"]
    yield Figure(
        f"{precision} / fp32, size", forms[best].size / portable.size, "x", f"{best}, files in the bundle", SIZE
    )


def _eager() -> Session:
    sys.path.insert(0, str(EXAMPLES / CLASSIFIER))
    import torch
    from classify_image import efficientnet

    from edgefn.compile.capture.eager import EagerSession

    torch.set_num_threads(1)
    return EagerSession(efficientnet.builder, efficientnet.spec)


def _forms(bundle: Bundle, folder: Path) -> Iterator[Form]:
    for layer in bundle.layers:
        archive.unpack(bundle.blob_path(layer.digest), folder / "bundle", limit_bytes=layer.size)
    references.resolve(folder / "bundle")
    for number, entry in enumerate(bundle.config.artifacts):
        portable, finished = folder / "bundle" / entry.path, folder / f"finished-{number}"
        backend = backends.get(entry.backend)
        backend.finish(portable, finished)
        yield Form(entry, sum(path.stat().st_size for path in portable.rglob("*")), backend.load(finished))


def _times(sessions: Mapping[str, Session], pixels: NDArray[Any]) -> dict[str, list[float]]:
    """Seconds of a run by form: of each round the median of RUNS."""
    times: dict[str, list[float]] = {name: [] for name in sessions}
    for _ in range(ROUNDS):
        for name, session in sessions.items():
            session.run({"pixels": pixels})
            times[name].append(statistics.median(_time(session, pixels) for _ in range(RUNS)))
    return times


def _time(session: Session, pixels: NDArray[Any]) -> float:
    began = time.perf_counter()
    session.run({"pixels": pixels})
    return time.perf_counter() - began


def _agreement(form: Form, crops: NDArray[Any], wanted: NDArray[Any]) -> tuple[float, float]:
    """(share of the crops that eager is sure of, share of all) with the same top-1 as eager."""
    same = _scores(form.session, crops).argmax(1) == wanted.argmax(1)
    chances = np.exp(wanted - wanted.max(1, keepdims=True))
    sure = (chances / chances.sum(1, keepdims=True)).max(1) > SURE
    return float(same[sure].mean()), float(same.mean())


def _scores(session: Session, crops: NDArray[Any]) -> NDArray[Any]:
    return np.concatenate([next(iter(session.run({"pixels": crop[np.newaxis]}).values())) for crop in crops])
