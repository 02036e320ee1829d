"""The finisher's process, from the box's side: started, listened to, bounded in time, never left behind.

The process works in a folder beside the one wanted; each artifact gets its name here, when it is proved and synced.
What an engine does in there, the box does not see.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import msgspec

from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import DeploymentRefused, DiskFull
from edgefn.quantities import format_duration
from edgefn_runtime.deployment import inputs, proof
from edgefn_runtime.deployment.order import Order
from edgefn_runtime.deployment.progress import Progress
from edgefn_runtime.deployment.proof import Proof
from edgefn_runtime.deployment.reuse import alike
from edgefn_runtime.store.disk import Disk, move_into_place, room_for, temporary
from edgefn_runtime.store.patience import in_thread, to_the_end
from edgefn_runtime.store.revision import Revision

Finisher = Callable[[Order, Progress], Awaitable[None]]
"""The order's folder holds its artifacts, each with its proof; else DeploymentRefused."""

FINISH_S = 30 * 60.0
"""TensorRT on a Jetson compiles for ten minutes; an engine that hangs does so for ever."""

_MODULE = "edgefn_runtime.process.finisher"
_STDERR_BYTES = 4096
_LINE_BYTES = 2**20
_ENVIRONMENT = {"ORT_DISABLE_TELEMETRY": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class Line(msgspec.Struct, frozen=True):
    """What the process says: how far it is, or why it does not go on ("refused", "full")."""

    event: str
    detail: str = ""
    done: int = 0
    total: int = 0


async def finish(
    revision: Revision,
    entries: Sequence[ArtifactEntry],
    disk: Disk,
    finisher: Finisher,
    progress: Progress,
    *,
    threads: int = 1,
    wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Each of `entries` is below `revision.finished` with its proof, synced; after an error it holds what it held.

    Nothing is put there when it is not `wanted` any more.
    """
    unfinished = temporary(revision.finished)
    paths = tuple(entry.path for entry in entries)
    order = Order(revision.folder, unfinished, revision.finished, paths, threads)
    try:
        with room_for(f"the finished artifacts of {revision.name}"):
            await in_thread(disk.make_folder, unfinished)
            await finisher(order, progress)
            await _put(revision, entries, unfinished, disk, wanted)
    finally:
        with contextlib.suppress(OSError):  # what stays goes at the next start
            await in_thread(disk.remove, unfinished)


async def link(revision: Revision, entries: Sequence[ArtifactEntry], disk: Disk) -> list[ArtifactEntry]:
    """Those of `entries` that another revision has finished from the same inputs are this one's too, and returned."""
    found = {entry.path: place for entry in entries if (place := await in_thread(alike, revision, entry)) is not None}
    linked = [entry for entry in entries if entry.path in found]
    if not linked:
        return []
    unfinished = temporary(revision.finished)
    try:
        with room_for(f"the finished artifacts of {revision.name}"):
            await in_thread(disk.make_folder, unfinished)
            for path, place in found.items():
                await in_thread(disk.link_tree, place, unfinished / path)
            await _put(revision, linked, unfinished, disk)
    finally:
        with contextlib.suppress(OSError):
            await in_thread(disk.remove, unfinished)
    return linked


async def put_verdict(revision: Revision, entry: ArtifactEntry, reason: str, disk: Disk) -> None:
    """`entry` has a proof that it did not survive being finished, for `reason`: it is not tried at each start."""
    unfinished = temporary(revision.finished)
    made_from = inputs.read(revision.folder).get(entry.path, "")
    found = Proof(entry.model, entry.target, entry.backend, False, reason=reason, inputs=made_from, died=True)
    try:
        with room_for(f"the finished artifacts of {revision.name}"):
            await in_thread(disk.make_folder, unfinished / entry.path)
            proof.write(unfinished / entry.path, found)
            await _put(revision, [entry], unfinished, disk)
    finally:
        with contextlib.suppress(OSError):
            await in_thread(disk.remove, unfinished)


async def _put(
    revision: Revision,
    entries: Sequence[ArtifactEntry],
    unfinished: Path,
    disk: Disk,
    wanted: Callable[[], bool] = lambda: True,
) -> None:
    """Each of `entries` that is in `unfinished` is in its place, one after the other: each whole or not at all."""
    await in_thread(disk.sync_tree, unfinished)
    for entry in entries:
        if wanted() and (unfinished / entry.path).is_dir():
            place = revision.finished / entry.path
            await in_thread(disk.make_folder, place.parent)
            await in_thread(move_into_place, disk, unfinished / entry.path, place)


async def finish_in_child(order: Order, progress: Progress, limit_s: float = FINISH_S) -> None:
    """The real `Finisher`: a process at low priority that ends with the box, or with this call."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-X", "faulthandler", "-m", _MODULE, *order.words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        limit=_LINE_BYTES,
        env=os.environ | _ENVIRONMENT | {"EDGEFN_BOX_PID": str(os.getpid())},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(limit_s):
            tail, last = await asyncio.gather(_tail(process), _listen(process, progress))
            code = await process.wait()
    except TimeoutError:
        raise DeploymentRefused(
            f"the artifacts were not finished within {format_duration(limit_s)}: the engine hangs, or is too slow here"
        ) from None
    finally:
        await to_the_end(_end(process))
    _judge(code, last, tail)


def _judge(code: int, last: Line, tail: str) -> None:
    if last.event == "refused":
        raise DeploymentRefused(last.detail)
    if last.event == "full":
        raise DiskFull(last.detail)
    if code < 0:
        name = signal.Signals(-code).name
        raise DeploymentRefused(
            f"the finisher was killed by {name} at {last.detail or 'its start'}: the engine crashed, "
            "or the box ran out of memory",
            trace=tail,
        )
    if code or last.event != "finished":
        reason = tail.strip().rpartition("\n")[2] or f"exit code {code}"
        raise DeploymentRefused(f"the artifacts could not be finished on this box: {reason}", trace=tail)


async def _listen(process: Process, progress: Progress) -> Line:
    assert process.stdout is not None
    line = Line("")
    async for text in process.stdout:
        line = msgspec.json.decode(text, type=Line)
        if line.event == "finish":
            progress("finish", line.done, line.total, line.detail)
        elif line.event == "prove":
            progress("prove", line.done, line.total, line.detail)
    return line


async def _tail(process: Process) -> str:
    """The end of what it wrote to stderr: an engine may write megabytes."""
    assert process.stderr is not None
    tail = b""
    while chunk := await process.stderr.read(_STDERR_BYTES):
        tail = (tail + chunk)[-_STDERR_BYTES:]
    return tail.decode(errors="replace")


async def _end(process: Process) -> None:
    """The process and whatever it started are gone, and its pipes closed."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.communicate()
