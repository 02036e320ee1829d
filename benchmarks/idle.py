"""Anonymous memory of a box that has nothing to do, beside an interpreter that has imported the same."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from benchmarks import resident, stage
from benchmarks.figure import Figure
from benchmarks.stage import CLASSIFIER, ECHO
from tests.e2e.deadline import eventually
from tests.e2e.processes import descendants, name_of

BOX_MB, ZYGOTE_MB = 40.0, 30.0
BOX_IMPORTS = "asyncio, logging, sqlite3, ssl, httptools, msgspec, prometheus_client, packaging.tags, uvicorn, uvloop"
BOX_CODE = (
    f"import {BOX_IMPORTS}\nimport starlette.applications, starlette.routing, starlette.requests, starlette.responses\n"
    "import uvicorn.protocols.http.httptools_impl"
)
ZYGOTE_CODE = (
    "import os\nos.environ['ORT_DISABLE_TELEMETRY'] = '1'\n"
    "import msgspec, numpy, onnxruntime, PIL.Image, PIL.JpegImagePlugin, PIL.PngImagePlugin"
)


def measure() -> Iterator[Figure]:
    """MB of box process and zygote, functions deployed before and none running, in a box that was just started."""
    with stage.running(stage.workshop().of(CLASSIFIER), stage.workshop().of(ECHO)) as box:
        box.stop()
        box.start()
        for name in (CLASSIFIER, ECHO):
            box.stop_function(name)  # nothing runs; and the admin API is loaded, as on a box that is looked after
        own, zygote = resident.anonymous_mb(box.pid), resident.anonymous_mb(box.zygote().pid)
        (spare,) = eventually(
            "the spare child is there", lambda: [one for one in descendants(box.pid) if is_spare(one)]
        )
        ahead = resident.private_mb(spare.pid)
    yield Figure("box process, idle", own, "MB", "anonymous; two functions deployed, none running", BOX_MB)
    yield Figure("bare imports of a box", imported(BOX_CODE), "MB", "anonymous; uvicorn, Starlette, SQLite, …")
    yield Figure("zygote, idle", zygote, "MB", "anonymous; engine warmed up, no function", ZYGOTE_MB)
    yield Figure("spare child, idle", ahead, "MB", "private; what it shares with the zygote is the zygote's")
    yield Figure("bare imports of a zygote", imported(ZYGOTE_CODE), "MB", "anonymous; NumPy, Pillow, ONNX Runtime")


def is_spare(process: psutil.Process) -> bool:
    """Tell whether it is the child that a zygote keeps ahead."""
    return name_of(process) == "edgefn-spare"


def imported(code: str) -> float:
    """Anonymous MB of an interpreter that has run `code`."""
    with interpreter(code) as process:
        return resident.anonymous_mb(process.pid)


@contextmanager
def interpreter(code: str) -> Iterator[subprocess.Popen[str]]:
    """Python, once it has run `code`; it stays until the block is left."""
    command = [sys.executable, "-c", f"{code}\nprint('done', flush=True)\ninput()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != "done\n":
            raise RuntimeError(f"this does not run:\n{code}")
        yield process
        process.communicate("\n")
