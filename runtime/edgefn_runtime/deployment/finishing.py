"""The finisher's process, from the box's side: started, listened to, bounded in time, never left behind.

The process works in a folder beside the one wanted; it gets its name here, when everything in it is proved
and synced. What an engine does in there, the box does not see.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from edgefn.errors import DeploymentRefused, DiskFull
from edgefn.quantities import format_duration
from edgefn_runtime.deployment.progress import Progress
from edgefn_runtime.deployment.reuse import INPUTS, finished_alike
from edgefn_runtime.store.disk import Disk, move_into_place, room_for, temporary, write_file
from edgefn_runtime.store.patience import in_thread, to_the_end
from edgefn_runtime.store.revision import Revision

Finisher = Callable[[Path, Path, Progress], Awaitable[None]]
"""(bundle, folder, progress): the folder holds the proved artifacts; else DeploymentRefused."""

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


async def finish(revision: Revision, disk: Disk, finisher: Finisher, progress: Progress) -> None:
    """`revision.finished` holds its artifacts, proved and synced; after an error it holds what it held."""
    unfinished = temporary(revision.finished)
    try:
        with room_for(f"the finished artifacts of {revision.name}"):
            if (alike := await in_thread(finished_alike, revision)) is not None:
                await in_thread(disk.link_tree, alike, unfinished)
                progress("finish", 1, 1, "as for another revision")
            else:
                await in_thread(disk.make_folder, unfinished)
                await finisher(revision.folder, unfinished, progress)
                await in_thread(write_file, disk, unfinished / INPUTS, (revision.folder / INPUTS).read_bytes())
            await in_thread(disk.sync_tree, unfinished)
            await in_thread(move_into_place, disk, unfinished, revision.finished)
    finally:
        with contextlib.suppress(OSError):  # what stays goes at the next start
            await in_thread(disk.remove, unfinished)


async def finish_in_child(folder: Path, finished: Path, progress: Progress, limit_s: float = FINISH_S) -> None:
    """The real `Finisher`: a process at low priority that ends with the box, or with this call."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-X", "faulthandler", "-m", _MODULE, str(folder), str(finished)),
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
