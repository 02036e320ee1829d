"""The finisher: finishes an artifact of a bundle for this machine, proves it and times it, once, at install.

It is a fork of the zygote, confined before it reads a byte of the bundle: an engine may run code that an artifact
brings, and the artifact may be hostile. It writes one folder, and sends its proof to the box through a pipe. The box
checks the result: nothing in here decides what is deployed, and no request ever waits in this process.
"""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import importlib
import math
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgefn import backends, golden
from edgefn.accuracy.judge import judge_served
from edgefn.accuracy.verdict import Agreement
from edgefn.backends.backend import Backend
from edgefn.bundle.config import ArtifactEntry, BundleConfig, ModelEntry
from edgefn.bundle.oci.manifest import parse_config
from edgefn.errors import BundleError, DiskFull
from edgefn.session import Session
from edgefn_runtime.artifacts.proof import MAX_REASON, Proof
from edgefn_runtime.child import sandbox
from edgefn_runtime.child.control import Control
from edgefn_runtime.child.fork import groups, process, programs
from edgefn_runtime.child.sandbox import Confinement, Enforcement, NotEnforced, readable
from edgefn_runtime.child.sandbox.confinement import SCRATCH_SHARE
from edgefn_runtime.child.sandbox.identity import NOBODY
from edgefn_runtime.child.template import EXIT_CANNOT_LOAD, to_log
from edgefn_runtime.wire.messages import Failed, Finished, FinishRequest, Hello

NAME = "edgefn-finisher"
NICENESS = 10
MIN_RUNS, MAX_RUNS = 5, 200
ALONE_S, BESIDE_S = 0.1, 1.5
"""Between so many runs of an artifact until so long has passed; longer where it runs in turns with the first one of its
model. The fastest of each counts: what other processes take from a run only ever makes it longer."""
_FULL_BYTES = 2**20
UNPROVED = "not checked here: the bundle has no golden inputs (golden_inputs=False); it was checked only at build"
Beside = tuple[Backend, Path]
"""A backend, and the folder of an artifact that it has finished."""


def finisher_main(
    request: FinishRequest, expected: Enforcement, control_descriptor: int, log: int, *cgroup_fds: int
) -> int:
    """Confine itself, finish and prove the artifact of `request`, send the proof to the box, and end."""
    to_log(log)
    faulthandler.enable()
    control = Control(control_descriptor)
    control.report(Hello())
    process.name(NAME)
    importlib.invalidate_caches()  # an engine may have been installed since the zygote looked
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # /proc may be read-only
        Path("/proc/self/oom_score_adj").write_text("1000")  # when memory runs out, this goes before what serves
    try:
        groups.join(cgroup_fds)
        process.adopt_orphans()
        process.limit_memory(request.memory_bytes)
        confinement = _confinement(request)
        if os.geteuid() == 0:
            os.chown(request.folder, confinement.uid, confinement.uid, follow_symlinks=False)
        sandbox.enter(confinement, expected)
        sandbox.leave_alone()
        if not request.programs and expected.get("system_calls") is True:
            programs.forbid()
    except (NotEnforced, OSError) as error:
        control.report(Failed(f"cannot set up its sandbox: {error}"))
        return EXIT_CANNOT_LOAD
    try:
        found = finish(request)
    except DiskFull as error:
        control.report(Finished(full=str(error)[:MAX_REASON]))
    else:
        control.report(Finished(proof=msgspec.json.encode(found)))
    return 0


def _confinement(request: FinishRequest) -> Confinement:
    """Return the finisher's rights: read the bundle and what its engine needs, write its folder, compute."""
    there = [path for path in request.reads if not _is_open_to_all(path)]
    return Confinement(
        "finisher",
        read=(request.bundle, *there),
        write=(request.folder,),
        devices=request.devices,
        uid=(request.uid or NOBODY) if os.geteuid() == 0 else os.geteuid(),  # the box takes what it has written
        processes=request.processes,
        tmp_bytes=max(request.memory_bytes // SCRATCH_SHARE, 2**20),
        file_bytes=request.folder_bytes,
        box_pid=request.box_pid,
    )


def _is_open_to_all(path: str) -> bool:
    """Tell whether every confined process may read `path`, as it may the system's programs."""
    return any(readable.below(os.path.realpath(path), root) for root in readable.roots())


def finish(request: FinishRequest) -> Proof:
    """Finish the artifact into the request's folder and prove it.

    An artifact that fails is a result, not an error. Raises DiskFull.
    """
    bundle, folder = Path(request.bundle), Path(request.folder)
    config = parse_config((bundle / "config.json").read_bytes())
    entry = next(one for one in config.artifacts if one.path == request.artifact)
    started = time.perf_counter()
    try:
        backend = backends.get(entry.backend)
        backend.finish(bundle / entry.path, folder)
        finish_s = time.perf_counter() - started
        samples = bundle / "golden" / f"{entry.model}.npz"
        beside = (backends.get(request.beside_backend), Path(request.beside)) if request.beside else None
        found = prove(
            *(backend, _model(config, entry), folder, samples),
            precision=entry.precision,
            beside=beside,
            threads=request.threads,
        )
    except DiskFull:
        raise
    except Exception as error:  # an engine's own exceptions have no common class
        _check_room(folder, error)
        reason = f"{type(error).__name__}: {error}"[:MAX_REASON]
        return Proof(entry.model, entry.target, entry.backend, False, reason=reason, inputs=request.inputs)
    return msgspec.structs.replace(
        found, target=entry.target, finish_s=round(finish_s, 6), inputs=request.inputs, reason=found.reason[:MAX_REASON]
    )


def prove(
    backend: Backend,
    model: ModelEntry,
    folder: Path,
    samples: Path,
    *,
    precision: str = "fp32",
    beside: Beside | None = None,
    threads: int = 1,
) -> Proof:
    """Measure the finished artifact in `folder` on the golden samples, loaded as it will be to serve.

    It is timed in turns with the one `beside`, where there is one.
    """
    pairs = golden.load_pairs(samples)
    known = pairs.samples
    if len(known) != (model.golden or 1):
        raise BundleError(f"{samples.name} holds {len(known)} golden samples, but the bundle declares {model.golden}")
    batched = model.batching is not None
    started = time.perf_counter()
    session = backend.load(folder, threads=threads, batched=batched)
    load_s = time.perf_counter() - started
    bound = model.bound_of(precision)
    agreement = (
        judge_served(session, pairs, model.judging, precision, bound=bound, batched=batched)
        if model.golden
        else Agreement("right", math.inf, math.inf, reason=UNPROVED)
    )
    sessions = [session]
    if agreement.passed and beside is not None:
        sessions.append(beside[0].load(beside[1], threads=threads, batched=batched))
    run_s, *beside_s = fastest_runs(sessions, known[0]) if agreement.passed else (0.0,)
    return Proof(
        model=model.spec.name,
        target="",
        backend=backend.name,
        passed=agreement.passed,
        verdict=agreement.verdict,
        error=agreement.error if math.isfinite(agreement.error) else None,
        max_error=agreement.max_error if math.isfinite(agreement.max_error) else None,
        top1=agreement.top1.share if agreement.top1 is not None else None,
        sizes=agreement.sizes,
        samples=agreement.samples,
        reason=agreement.reason,
        load_s=round(load_s, 6),
        run_s=round(run_s, 9),
        beside_s=round(beside_s[0], 9) if beside_s else 0.0,
    )


def fastest_runs(sessions: Sequence[Session], sample: golden.GoldenSample) -> list[float]:
    """Return the seconds of each session's fastest run.

    The sessions run in turns, so that a busy machine slows all of them alike.
    """
    best = [math.inf] * len(sessions)
    over = time.perf_counter() + (ALONE_S if len(sessions) == 1 else BESIDE_S)
    for count in range(MAX_RUNS):
        for number, session in enumerate(sessions):
            started = time.perf_counter()
            session.run(sample.inputs)
            best[number] = min(best[number], time.perf_counter() - started)
        if count + 1 >= MIN_RUNS and time.perf_counter() > over:
            break
    return best


def _model(config: BundleConfig, entry: ArtifactEntry) -> ModelEntry:
    return next(model for model in config.models if model.spec.name == entry.model)


def _check_room(folder: Path, error: Exception) -> None:
    """Raise DiskFull when the disk is full: engines do not tell why their writing failed."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or shutil.disk_usage(folder).free < _FULL_BYTES:
        raise DiskFull(
            f"no space left on the disk to finish artifacts in {folder}: free some, then try again"
        ) from error
