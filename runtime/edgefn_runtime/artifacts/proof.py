"""The finisher's result for an artifact on this machine, as the artifact's `proof.json`.

    <finished>/artifacts/<model>/<target slug>/proof.json

The finisher's process sends it through a pipe, and the box writes it, with the names and sizes of the files that it has
taken over: a file that an engine could write proves nothing. Never judges: `passed` was judged in the finisher.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import DeploymentRefused

FILE = "proof.json"
MAX_FIGURE = 1e12
"""Of seconds and of counts: whole numbers in JSON have no bound of their own."""

MAX_REASON = 2000
"""Characters of why an artifact did not pass: an engine's words may be endless."""


class Proof(msgspec.Struct, frozen=True):
    """The result of a finished artifact on the golden samples, and its speed. Durations in seconds.

    verdict     right, wrong or not shown; "" where it did not run
    error       of its worst slice, as a fraction of how far eager's answer moves; None when it could not be computed
    max_error   relative to the largest eager value; None likewise
    files       the artifact's files and their sizes in bytes: one that is gone must be finished again
    run_s       the fastest of its timed runs
    beside_s    the fastest run of the model's first artifact in the same process, run in turns with it; 0.0 for the
                first artifact itself
    inputs      the hash of its inputs, to finish and to prove: see `reuse`
    died        the process that finished it crashed, hung or was killed: a redeployment tries again
    """

    model: str
    target: str
    backend: str
    passed: bool
    max_error: float | None = None
    top1: float | None = None
    samples: int = 0
    reason: str = ""
    finish_s: float = 0.0
    load_s: float = 0.0
    run_s: float = 0.0
    beside_s: float = 0.0
    files: dict[str, int] = {}
    inputs: str = ""
    died: bool = False
    verdict: str = ""
    error: float | None = None
    sizes: int = 0

    @property
    def ratio(self) -> float:
        """Return its latency over that of the model's first artifact, measured in turns.

        1.0 for the first artifact itself.
        """
        return self.run_s / self.beside_s if self.beside_s else 1.0

    def whole(self, folder: Path) -> bool:
        """Tell whether `folder` still has the artifact's files, by name and size."""
        try:
            return all((folder / name).stat().st_size == size for name, size in self.files.items())
        except OSError:
            return False


def read(finished: Path, entry: ArtifactEntry) -> Proof | None:
    """Read the proof of `entry`; return None where there is none or the artifact is not complete."""
    folder = finished / entry.path
    try:
        proof = msgspec.json.decode((folder / FILE).read_bytes(), type=Proof)
    except (OSError, msgspec.MsgspecError):
        return None
    return proof if proof.whole(folder) else None


def received(data: bytes, entry: ArtifactEntry, made_from: str) -> Proof:
    """Parse and check the proof of `entry` that a finisher's process sent. Raises DeploymentRefused."""
    try:
        found = msgspec.json.decode(data, type=Proof)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DeploymentRefused(
            f"the finisher of {entry.model} {entry.target} sent an unreadable result: {error}"
        ) from None
    figures = (found.finish_s, found.load_s, found.run_s, found.beside_s, found.samples, found.sizes)
    if not all(0 <= figure <= MAX_FIGURE for figure in figures):
        raise DeploymentRefused(f"the finisher of {entry.model} {entry.target} sent impossible figures: {figures}")
    return msgspec.structs.replace(
        found,
        model=entry.model,
        target=entry.target,
        backend=entry.backend,
        reason=found.reason[:MAX_REASON],
        verdict=found.verdict[:MAX_REASON],
        inputs=made_from,
        files={},
        died=False,
    )


def write(folder: Path, proof: Proof) -> None:
    """Write `proof` into `folder`, without syncing it."""
    (folder / FILE).write_bytes(msgspec.json.encode(proof))


def read_all(finished: Path, entries: Iterable[ArtifactEntry]) -> dict[str, Proof]:
    """Read the proofs that exist, by `ArtifactEntry.path`."""
    return {entry.path: proof for entry in entries if (proof := read(finished, entry)) is not None}
