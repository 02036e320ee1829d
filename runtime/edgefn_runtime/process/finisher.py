"""Makes artifacts of a bundle fit for this machine, proves them and times them, once, at install.

Run as `python -m edgefn_runtime.process.finisher` with the words of an `Order` at low priority. One JSON object a line
on stdout says how far it is; whatever an engine prints goes to stderr. The order's folder is the box's to throw away or
to put into place: nothing in here decides what is deployed, and no request ever waits in this process.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from edgefn import backends, golden
from edgefn.accuracy.judge import judge_served
from edgefn.accuracy.verdict import Agreement
from edgefn.backends.backend import Backend, Session
from edgefn.bundle.config import ArtifactEntry, BundleConfig, ModelEntry
from edgefn.bundle.manifest import parse_config
from edgefn.errors import BundleError, DeploymentRefused, DiskFull, EdgefnError
from edgefn.targets.facts import this_machine
from edgefn.targets.matcher import Facts
from edgefn_runtime.deployment import choice, inputs, proof
from edgefn_runtime.deployment.order import Order
from edgefn_runtime.deployment.proof import Proof
from edgefn_runtime.process import birth

NICENESS = 10
LEAST_RUNS, MOST_RUNS = 5, 200
ALONE_S, BESIDE_S = 0.1, 1.5
"""Between so many runs of an artifact until so long has passed; longer where it runs in turns with the first one of its
model. The fastest of each counts: what other processes take from a run only ever makes it longer."""
_FULL_BYTES = 2**20
_BOX_PID = "EDGEFN_BOX_PID"
UNPROVED = "not proved here: the bundle has no golden inputs (golden_inputs=False); it was proved at build only"
Say = Callable[..., None]
Beside = tuple[Backend, Path]
"""A backend, and the folder of an artifact that it has finished."""


def main(order: Order) -> int:
    """Each artifact of `order` is proved: 0. Else the last line says why not."""
    birth.die_with_parent()
    if os.environ.get(_BOX_PID, str(os.getppid())) != str(os.getppid()):
        return 1  # the box died before the line above
    birth.no_core_dump()
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # /proc may be read-only
        Path("/proc/self/oom_score_adj").write_text("1000")  # when memory runs out, this goes before what serves
    say = _voice()
    try:
        with _full_disk_told(order.folder):
            finish_all(order, say)
    except DiskFull as error:
        say("full", detail=str(error))
        return error.exit_code
    except EdgefnError as error:
        say("refused", detail=str(error))
        return error.exit_code
    say("finished")
    return 0


def finish_all(order: Order, say: Say) -> None:
    """Every artifact of the order that can run here is finished and has its proof.

    Raises DeploymentRefused when the first ones of a model are among them and do not pass.
    """
    config = parse_config((order.bundle / "config.json").read_bytes())
    here = this_machine(*choice.libraries(config.artifacts))
    there = [entry for entry in config.artifacts if _available(entry, here)]
    entries = [entry for entry in there if entry.path in order.artifacts]
    proofs = []
    for done, entry in enumerate(entries):
        say("finish", done=done, total=len(entries), detail=f"{entry.model} {entry.target}")
        found = finish_one(_model(config, entry), entry, order, _beside(order, entry, there))
        say("prove", done=done + 1, total=len(entries), detail=_told(found))
        proof.write(order.folder / entry.path, found)
        proofs.append(found)
    first = {entry.model for entry in choice.first(there) if entry.path in order.artifacts}
    judge(config, proofs, [model for model in config.models if model.spec.name in first])


def finish_one(model: ModelEntry, entry: ArtifactEntry, order: Order, beside: Beside | None = None) -> Proof:
    """`entry` finished below the order's folder, and how it did; one that fails is an answer, not an error."""
    folder = order.folder / entry.path
    folder.mkdir(parents=True, exist_ok=True)
    made_from = inputs.read(order.bundle).get(entry.path, "")
    started = time.perf_counter()
    try:
        backend = backends.get(entry.backend)
        backend.finish(order.bundle / entry.path, folder)
        finish_s = time.perf_counter() - started
        samples = order.bundle / "golden" / f"{entry.model}.npz"
        found = prove(backend, model, folder, samples, precision=entry.precision, beside=beside, threads=order.threads)
    except DiskFull:
        raise
    except Exception as error:  # an engine's own exceptions have no common class
        _check_room(folder, error)
        reason = f"{type(error).__name__}: {error}"
        return Proof(entry.model, entry.target, entry.backend, False, reason=reason, inputs=made_from)
    return msgspec.structs.replace(
        found, target=entry.target, finish_s=round(finish_s, 6), files=_files(folder), inputs=made_from
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
    """How the finished artifact in `folder` does on the golden samples, as it will be loaded to serve.

    It is timed in turns with the one `beside`, where there is one.
    """
    pairs = golden.load_pairs(samples)
    known = pairs.samples
    if len(known) != (model.golden or 1):
        raise BundleError(f"{samples.name} holds {len(known)} golden samples, the bundle says {model.golden}")
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


def judge(config: BundleConfig, proofs: list[Proof], models: Iterable[ModelEntry] | None = None) -> None:
    """Raises DeploymentRefused when one of `models`, all by default, has no artifact that passed, or its portable one
    did not.

    What is wrong with a portable artifact is wrong with the bundle or this machine; another that passes is luck.
    """
    for model in config.models if models is None else models:
        own = [found for found in proofs if found.model == model.spec.name]
        broken = [found for found in own if not found.passed]
        if not any(found.passed for found in own) or any(found.target.startswith("portable/") for found in broken):
            raise DeploymentRefused(
                f"{config.function.name} fails its golden samples on this box: "
                f"{'; '.join(map(_told, broken)) or f'no artifact of {model.spec.name} runs here'}; "
                "build it again, and see that the workstation's figures are within the bound"
            )


def _available(entry: ArtifactEntry, here: Facts) -> bool:
    return choice.refusal(entry, lambda name: backends.get(name).probe(), here) is None


def _model(config: BundleConfig, entry: ArtifactEntry) -> ModelEntry:
    return next(model for model in config.models if model.spec.name == entry.model)


def _beside(order: Order, entry: ArtifactEntry, there: list[ArtifactEntry]) -> Beside | None:
    """The first artifact of `entry`'s model, where that is another one and is finished."""
    base = next(one for one in choice.first(there) if one.model == entry.model)
    if base.path == entry.path:
        return None
    folders = [place / base.path for place in (order.folder, order.beside) if proof.read(place, base) is not None]
    return (backends.get(base.backend), folders[0]) if folders else None


def fastest_runs(sessions: Sequence[Session], sample: golden.GoldenSample) -> list[float]:
    """The seconds of each session's fastest run; they run in turns, so that a busy machine is busy for all of them."""
    best = [math.inf] * len(sessions)
    over = time.perf_counter() + (ALONE_S if len(sessions) == 1 else BESIDE_S)
    for count in range(MOST_RUNS):
        for number, session in enumerate(sessions):
            started = time.perf_counter()
            session.run(sample.inputs)
            best[number] = min(best[number], time.perf_counter() - started)
        if count + 1 >= LEAST_RUNS and time.perf_counter() > over:
            break
    return best


def _told(found: Proof) -> str:
    name = f"{found.model} {found.target}"
    if not found.passed:
        return f"{name}: {found.reason}"
    if found.error is None:
        return f"{name}: {found.reason}"
    top1 = "" if found.top1 is None else f", top-1 agreement {found.top1:.3f}"
    sizes = f" and {found.sizes} other sizes" if found.sizes else ""
    return f"{name}: error {found.error or 0.0:.1e}{top1} on {found.samples} golden samples{sizes}"


def _files(folder: Path) -> dict[str, int]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def _voice() -> Say:
    """What says a line to the box. From here on, everything else that writes to stdout writes to stderr."""
    private = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def say(event: str, **members: object) -> None:
        private.write(msgspec.json.encode({"event": event, **members}) + b"\n")

    return say


@contextlib.contextmanager
def _full_disk_told(finished: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _full(finished) from error
        raise


def _check_room(folder: Path, error: Exception) -> None:
    """Raises DiskFull when there is no room left: engines do not say why their writing failed."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or shutil.disk_usage(folder).free < _FULL_BYTES:
        raise _full(folder) from error


def _full(folder: Path) -> DiskFull:
    return DiskFull(f"no room on the disk to finish artifacts in {folder}: free some, then try again")


if __name__ == "__main__":
    sys.exit(main(Order.of(sys.argv[1:])))
