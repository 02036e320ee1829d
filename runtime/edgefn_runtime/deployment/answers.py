"""The handler's answers on this box, compared with eager's: a confined instance answers, the result is stored here.

    <finished>/answers.json      the comparisons, by `ArtifactEntry.path`

User code runs in the instance alone; here its replies are read, and not trusted to be well formed. A record goes with
its folder: another machine or library has none, and a redeployment asks again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgefn.accuracy.answers.limits import limits_for
from edgefn.accuracy.answers.record import Agreed, Mismatch, Question, Reference, agreed
from edgefn.bundle.config import ArtifactEntry, BundleConfig
from edgefn.errors import DeploymentRefused, EdgefnError, RetryLater
from edgefn_runtime.artifacts import proof, ranking
from edgefn_runtime.host import Host
from edgefn_runtime.store.disk import Disk, write_file
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.store.uncancellable import in_thread

FILE = "answers.json"

LIMIT_S = 120.0
"""All questions together: a handler of seconds is asked a few."""

MAX_BYTES = 64 * 2**20
"""Of requests and answers that are read here: a build packs 8 MiB at most."""

MAX_TEXT = 400
"""Characters of each text of a mismatch."""

NO_INPUTS = "answers not compared here: the bundle has no inputs (golden_inputs=False)"
ACTS = "answers not compared here: the function reaches the network or devices, so that asking it would act on them"
NO_REQUESTS = "answers not compared here: the bundle has no requests, since no sample is one or the handler is random"

_DECODER = msgspec.msgpack.Decoder(Mismatch | None)


def read(finished: Path) -> dict[str, Agreed]:
    """Read the stored comparisons of answers from the folder `finished`, by artifact path.

    Returns an empty dict where the file is missing or does not parse.
    """
    try:
        return msgspec.json.decode((finished / FILE).read_bytes(), type=dict[str, Agreed])
    except (OSError, msgspec.MsgspecError):
        return {}


def keep(disk: Disk, finished: Path, paths: Sequence[str], found: Agreed) -> None:
    """Store `found` as the comparison of the artifacts `paths`. Blocks; raises OSError."""
    known = read(finished) | dict.fromkeys(paths, found)
    if finished.is_dir():
        write_file(disk, finished / FILE, msgspec.json.encode(known, order="deterministic"))


def forget(disk: Disk, finished: Path) -> None:
    """Delete the stored comparisons of the folder `finished`. Blocks."""
    if (finished / FILE).exists():
        disk.remove(finished / FILE)


def lacking(revision: Revision, entries: Sequence[ArtifactEntry]) -> list[ArtifactEntry]:
    """Return the artifacts of `entries` that passed their proof but have no stored comparison yet.

    Portable artifacts are left out: they serve without a comparison.
    """
    if not revision.config.requests:
        return []
    known = read(revision.finished)
    others = [entry for entry in entries if not ranking.portable(entry) and entry.path not in known]
    return [entry for entry in others if (found := proof.read(revision.finished, entry)) is not None and found.passed]


def why_not(config: BundleConfig) -> str:
    """Return why this box compares no answers; "" where it compares them, or there is no model."""
    if not config.models or config.requests:
        return ""
    if not config.function.golden_inputs:
        return NO_INPUTS
    return ACTS if config.function.network or config.function.devices else NO_REQUESTS


def beside(revision: Revision, entry: ArtifactEntry) -> Revision:
    """Return `revision` configured to serve `entry` and the first artifact of each other model."""
    others = [one for one in ranking.first(revision.artifacts) if one.model != entry.model]
    served = tuple({one.model: one for one in reversed(others)}.values())
    return msgspec.structs.replace(
        revision, config=msgspec.structs.replace(revision.config, artifacts=(entry, *served))
    )


async def ask(host: Host, revision: Revision) -> Agreed:
    """Compare the answers that the handler gives with the artifacts of `revision` with eager's.

    An instance that dies or hangs counts as answering otherwise than eager. Where there is no memory for an instance,
    or the time is over, the result is marked as not compared.
    """
    precision = _loosest(revision.config.artifacts)
    questions, reference = await in_thread(_questions, revision, precision)
    try:
        async with asyncio.timeout(LIMIT_S):
            replies = await host.ask(revision, questions)
        found = [_short(_DECODER.decode(reply)) for reply in replies]
    except TimeoutError:
        return Agreed(0, 0, "not shown", 0.0, unfit=f"answers not compared here: they took over {LIMIT_S:.0f} s")
    except RetryLater as error:
        return Agreed(0, 0, "not shown", 0.0, unfit=f"answers not compared here: {error}")
    except (EdgefnError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        lost = Mismatch(reference.asked[0].name, "", "", str(error)[:MAX_TEXT])
        return msgspec.structs.replace(agreed([lost], len(questions), strict=True), matched=0)
    return agreed([one for one in found if one is not None], len(questions), strict=limits_for(precision).strict)


def refusal(found: Agreed) -> str:
    """Describe wrong answers as a user would see them."""
    pairs = [
        f"{one.sample}: {one.reason}" + (f" (eager {one.expected}, here {one.actual})" if one.actual else "")
        for one in found.examples
    ]
    return f"it answers otherwise than eager PyTorch here: {found} match. {'; '.join(pairs)}"


def _short(found: Mismatch | None) -> Mismatch | None:
    """Truncate the texts of `found`: an instance runs a user's code and must not fill the box's disk."""
    if found is None:
        return None
    return Mismatch(*(str(text)[:MAX_TEXT] for text in (found.sample, found.expected, found.actual, found.reason)))


def _questions(revision: Revision, precision: str) -> tuple[list[bytes], Reference]:
    """Read the questions and eager's answers to them from the bundle of `revision`.

    Raises DeploymentRefused where the bundle's file of answers is damaged, or has more bytes than a box reads.
    """
    folder, count = revision.folder, revision.config.requests
    file, requests = folder / "answers" / "answers.msgpack", [folder / "requests" / str(n) for n in range(count)]
    try:
        size = sum(path.lstat().st_size for path in (file, *requests))
        if size > MAX_BYTES or file.lstat().st_size * max(1, count) > MAX_BYTES:
            raise ValueError(f"they have {size} bytes, over the limit of {MAX_BYTES}")
        known = msgspec.msgpack.decode(file.read_bytes(), type=Reference)
        if not len(known.asked) == len(known.answers) == count:
            raise ValueError(f"they are {len(known.answers)} and not {count}")
        pairs = zip(requests, known.asked, known.answers, strict=True)
        questions = [
            Question(asked, path.read_bytes(), expected, known.spreads, precision) for path, asked, expected in pairs
        ]
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise DeploymentRefused(
            f"the answers in the bundle of {revision.name} do not read ({error}): build the bundle again"
        ) from error
    return list(map(msgspec.msgpack.encode, questions)), known


def _loosest(artifacts: Sequence[ArtifactEntry]) -> str:
    """Return the precision of the least precise artifact: the answers are judged by it."""
    return max((entry.precision for entry in artifacts), key=lambda one: limits_for(one).number, default="fp32")
