"""Makes a bundle's artifacts fit for this machine and proves them, once, at install.

Run as `python -m edgefn_runtime.process.finisher BUNDLE_FOLDER FINISHED_FOLDER` at low priority. One JSON
object a line on stdout says how far it is; whatever an engine prints goes to stderr. FINISHED_FOLDER is the
box's to throw away or to put into place: nothing in here decides what is deployed, and no request ever
waits in this process.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from edgefn import backends, golden
from edgefn.backends.backend import Backend, Session
from edgefn.bundle.config import ArtifactEntry, BundleConfig, ModelEntry
from edgefn.bundle.manifest import parse_config
from edgefn.errors import BundleError, DeploymentRefused, DiskFull, EdgefnError
from edgefn.targets.facts import this_machine
from edgefn.targets.matcher import Facts
from edgefn_runtime.deployment import choice, proof
from edgefn_runtime.deployment.proof import Proof
from edgefn_runtime.process import birth

NICENESS = 10
TIMED_RUNS = 5
_FULL_BYTES = 2**20
_BOX_PID = "EDGEFN_BOX_PID"
Say = Callable[..., None]


def main(bundle: Path, finished: Path) -> int:
    """Every model has a proved artifact below `finished`: 0. Else the last line says why not."""
    birth.die_with_parent()
    if os.environ.get(_BOX_PID, str(os.getppid())) != str(os.getppid()):
        return 1  # the box died before the line above
    birth.no_core_dump()
    os.nice(NICENESS)
    with contextlib.suppress(OSError):  # /proc may be read-only
        Path("/proc/self/oom_score_adj").write_text("1000")  # when memory runs out, this goes before what serves
    say = _voice()
    try:
        with _full_disk_told(finished):
            finish_all(bundle, finished, say)
    except DiskFull as error:
        say("full", detail=str(error))
        return error.exit_code
    except EdgefnError as error:
        say("refused", detail=str(error))
        return error.exit_code
    say("finished")
    return 0


def finish_all(bundle: Path, finished: Path, say: Say) -> None:
    """Every artifact of the bundle that can run here is finished and has its proof. Raises DeploymentRefused."""
    config = parse_config((bundle / "config.json").read_bytes())
    here = this_machine(*choice.libraries(config.artifacts))
    entries = [entry for entry in config.artifacts if _available(entry, here)]
    proofs = []
    for done, entry in enumerate(entries):
        say("finish", done=done, total=len(entries), detail=f"{entry.model} {entry.target}")
        found = finish_one(_model(config, entry), entry, bundle, finished)
        say("prove", done=done + 1, total=len(entries), detail=_told(found))
        _write(finished / entry.path, found)
        proofs.append(found)
    judge(config, proofs)


def finish_one(model: ModelEntry, entry: ArtifactEntry, bundle: Path, finished: Path) -> Proof:
    """`entry` finished below `finished`, and how it did; one that fails is an answer, not an error."""
    folder = finished / entry.path
    folder.mkdir(parents=True, exist_ok=True)
    backend = backends.get(entry.backend)
    started = time.perf_counter()
    try:
        backend.finish(bundle / entry.path, folder)
        finish_s = time.perf_counter() - started
        found = prove(backend, model, folder, bundle / "golden" / f"{entry.model}.npz")
    except DiskFull:
        raise
    except Exception as error:  # an engine's own exceptions have no common class
        _check_room(folder, error)
        return Proof(entry.model, entry.target, entry.backend, False, reason=f"{type(error).__name__}: {error}")
    return msgspec.structs.replace(found, target=entry.target, finish_s=round(finish_s, 6), files=_files(folder))


def prove(backend: Backend, model: ModelEntry, folder: Path, samples: Path) -> Proof:
    """How the finished artifact in `folder` does on the golden samples, as it will be loaded to serve."""
    known = golden.load(samples)
    if len(known) != model.golden:
        raise BundleError(f"{samples.name} holds {len(known)} golden samples, the bundle says {model.golden}")
    batched = model.batching is not None
    session = backend.load(folder, batched=batched)
    agreement = golden.compare_served(session, known, model.bound, batched=batched)
    return Proof(
        model=model.spec.name,
        target="",
        backend=backend.name,
        passed=agreement.passed,
        max_error=agreement.max_error if math.isfinite(agreement.max_error) else None,
        top1=agreement.top1,
        samples=agreement.samples,
        reason=agreement.reason,
        run_s=round(_fastest_run(session, known[0]), 6) if agreement.passed else 0.0,
    )


def judge(config: BundleConfig, proofs: list[Proof]) -> None:
    """Raises DeploymentRefused when a model has no artifact that passed, or its portable one did not.

    What is wrong with a portable artifact is wrong with the bundle or this machine; another that passes is
    luck.
    """
    for model in config.models:
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


def _fastest_run(session: Session, sample: golden.GoldenSample) -> float:
    seconds = []
    for _ in range(TIMED_RUNS):
        started = time.perf_counter()
        session.run(sample.inputs)
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _told(found: Proof) -> str:
    name = f"{found.model} {found.target}"
    if not found.passed:
        return f"{name}: {found.reason}"
    top1 = "" if found.top1 is None else f", top-1 agreement {found.top1:.3f}"
    return f"{name}: max error {found.max_error:.1e}{top1} on {found.samples} golden samples"


def _files(folder: Path) -> dict[str, int]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.stat().st_size for path in files}


def _write(folder: Path, found: Proof) -> None:
    (folder / proof.FILE).write_bytes(msgspec.json.encode(found))


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
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
