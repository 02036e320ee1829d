"""benchmarks/bare_app.py as a running server, in one of its settings."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stage import CLASSIFIER, ONE, Caller
from tests.e2e.box import RunningBox
from tests.e2e.bundles import EXAMPLES
from tests.e2e.deadline import eventually

ROOT = Path(__file__).parents[1]
START_S = 30.0
STOP_S = 10.0


@dataclass(frozen=True)
class Setting:
    """`threads` work on the requests of a worker, 0: its event loop does; `intra_op` work on one run of the model."""

    workers: int = 1
    threads: int = 2
    intra_op: int = 1

    def __str__(self) -> str:
        where = f"pool of {self.threads}" if self.threads else "inline"
        return f"{self.workers} worker{'s' * (self.workers > 1)}, {where}, {self.intra_op} intra-op"

    @property
    def environment(self) -> dict[str, str]:
        return {"BARE_THREADS": str(self.threads), "BARE_INTRA_OP": str(self.intra_op)}


SETTINGS = (
    Setting(1, 2, 1),
    Setting(1, 40, 1),
    Setting(1, 1, 2),
    Setting(2, 0, 1),
    Setting(2, 1, 1),
)
"""For two cores; 40 threads are what Starlette's own pool has. What leaves a core idle, or has four threads compute on
two, is not tried."""


@dataclass(frozen=True)
class Bare:
    """The bare app, running: its first process and where it answers."""

    url: str
    pid: int
    setting: Setting


def model_of(box: RunningBox) -> Path:
    """The very model that the box was sent."""
    (model,) = box.home.glob("bundles/*/artifacts/efficientnet/portable-fp32/model.onnx")
    return model


@contextmanager
def running(model: Path, setting: Setting | None = None) -> Iterator[Bare]:
    """The bare app with `model`, on a free port, answering."""
    setting = setting or Setting()
    port = free_port()
    environment = os.environ | setting.environment
    environment |= {"BARE_MODEL": str(model), "BARE_LABELS": str(EXAMPLES / CLASSIFIER / "labels.txt")}
    options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
    command = [sys.executable, "-m", "uvicorn", "benchmarks.bare_app:app", "--port", str(port), *options]
    process = subprocess.Popen([*command, "--workers", str(setting.workers)], cwd=ROOT, env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        eventually("the bare app answers", lambda: succeeds(f"{url}/echo"), seconds=START_S)
        yield Bare(url, process.pid, setting)
    finally:
        process.terminate()
        process.wait(STOP_S)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def listens(port: int) -> bool:
    """Whether somebody takes connections on this port of loopback."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def succeeds(url: str, method: str = "POST") -> bool:
    """Whether the address is answered with a success."""
    try:
        return bool(Caller(url, ONE, method)())
    except (OSError, RuntimeError):
        return False
