"""The box: store, supervisor, deployments and telemetry, put together and taken apart in the right order."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import os
import platform
import time
from typing import Any

from edgefn.system import machine
from edgefn_runtime import inventory
from edgefn_runtime.access.doors import Doors
from edgefn_runtime.access.tls import Tls, is_on
from edgefn_runtime.access.tokens import Tokens
from edgefn_runtime.cgroups.processors import threads_for
from edgefn_runtime.deployment.checks.maxima import Maxima
from edgefn_runtime.deployment.deployments import Deployments
from edgefn_runtime.fingerprint import fingerprint
from edgefn_runtime.memory.budget import MemoryBudget
from edgefn_runtime.scheduling import ledger
from edgefn_runtime.settings import BoxSettings
from edgefn_runtime.store.blobs import Blobs
from edgefn_runtime.store.database import Database
from edgefn_runtime.store.disk import room_for, write_file
from edgefn_runtime.store.home import Home
from edgefn_runtime.store.revision import Revision
from edgefn_runtime.store.tokens import TokenTable
from edgefn_runtime.store.vault import Vault
from edgefn_runtime.supervisor import Supervisor
from edgefn_runtime.telemetry.audit import AuditLog
from edgefn_runtime.telemetry.logs import FunctionLogs
from edgefn_runtime.telemetry.metrics import Metrics
from edgefn_runtime.workers.isolation import Requirement
from edgefn_runtime.workers.launch import Launched
from edgefn_runtime.workers.users import Users, default_range

VERSION = importlib.metadata.version("edgefn")
_log = logging.getLogger("edgefn.box")


class Box:
    """One machine's functions. Opening it takes the home's lock; `start` and `stop` belong to one event loop.

    Raises HomeError when the home cannot be used.
    """

    def __init__(self, settings: BoxSettings) -> None:
        self.settings = settings
        self._scheme = "https" if is_on(settings) else "http"
        self.url = f"{self._scheme}://{settings.host}:{settings.port}"
        self.home = Home(settings.home)
        self.tls = Tls(settings, self.home) if is_on(settings) else None
        self.logs = FunctionLogs(self.home.logs)
        self.vault = Vault.of_home(self.home)
        self.audit = AuditLog(self.home.logs)
        self.metrics = Metrics(self._statuses, version=VERSION, log_lines_dropped=lambda: self.logs.dropped)
        self._database = database = Database(self.home.database)
        tokens = Tokens(self.home.token, TokenTable(database), self._keep_token)
        self.doors = Doors(tokens, self.metrics, self.audit, callers=settings.callers)
        memory_bytes = settings.memory_bytes or ledger.budget_bytes(machine.total_bytes())
        self.supervisor = Supervisor(
            self.logs,
            self.metrics,
            self._ensure_finished,
            drain_s=settings.drain_s,
            budget=MemoryBudget(memory_bytes, database),
            fall_back=self._fall_back,
            on_failing=self._on_failing,
            users=Users(database, _range_of(settings), self.home.identity, self._with_users),
            requirement=_requirement_of(settings),
        )
        blobs = Blobs(self.home.blobs, self.home.disk)
        self.deployments = Deployments(
            self.home,
            blobs,
            database,
            self.supervisor,
            threads=threads_for,
            audit=self.audit,
            grants=settings.grants,
            development=settings.development,
            maxima=Maxima.of(settings),
        )
        self._started = time.monotonic()
        self._draining = False

    def _statuses(self) -> list[dict[str, Any]]:
        return self.supervisor.statuses()

    async def _ensure_finished(self, revision: Revision) -> None:
        await self.deployments.ensure_finished(revision)

    async def _fall_back(self, revision: Revision, artifact: str, reason: str) -> Revision | None:
        return await self.deployments.chains.fall_back(revision, artifact, reason)

    def _with_users(self) -> set[str]:
        return {*self._database.names(), *self.supervisor.working()}

    def _on_failing(self, name: str, reason: str) -> None:
        self.audit.incident("fail", function=name, result="failed", detail=reason)

    async def start(self, zygote: Launched | None = None) -> None:
        """Route every deployed function again, and start the zygote unless `zygote` is launched already."""
        self.audit.change("start", detail=f"edgefn {VERSION}{', development mode' * self.settings.development}")
        self.supervisor.start(zygote)
        await self.deployments.restore()

    def listening(self, port: int) -> None:
        """Announce that the gateway takes connections on `port`, in `run/box.json`.

        Where the file cannot be written the box serves all the same: its functions need no room.
        """
        host = self.settings.host
        self.url = f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        about = {"url": self.url, "pid": os.getpid()}
        place = self.home.run / "box.json"
        try:
            write_file(self.home.disk, place, json.dumps(about).encode())
        except OSError as error:
            with contextlib.suppress(OSError):
                place.unlink(missing_ok=True)  # of a box that was killed
            _log.warning("%s cannot be written (%s): commands on this machine do not find the box", place, error)

    def _keep_token(self, value: str) -> None:
        """Write the home's own token, in place of the one before. Raises DiskFull."""
        with room_for("the home's own token"):
            write_file(self.home.disk, self.home.path / "token", f"{value}\n".encode())

    def drain(self) -> None:
        """Refuse new work, as not ready, and end the followers of logs: the box is leaving."""
        self._draining = True
        self.logs.end_followers()
        self.audit.end_followers()

    async def stop(self) -> None:
        """Answer all accepted requests, end every process and close the home."""
        self.drain()
        await self.deployments.end()  # first, so that no deployment starts a process behind the supervisor's back
        await self.supervisor.stop()  # which still keeps what it has measured
        await self.deployments.close()
        self.audit.change("stop")
        self.audit.close()
        self.logs.close()
        with contextlib.suppress(OSError):  # a disk that has become read-only
            (self.home.run / "box.json").unlink(missing_ok=True)
        self.home.close()

    def unready(self) -> str:
        """Return why the box takes no work now, or "" when it does."""
        if self._draining:
            return "the box is draining"
        return "" if self.supervisor.ready else "the box's zygote is starting"

    def info(self) -> dict[str, Any]:
        """Return the body of GET /admin/box: the facts about this box."""
        return {
            "name": platform.node(),
            "version": VERSION,
            "pid": os.getpid(),
            "url": self.url,
            "home": str(self.home.path),
            "python": platform.python_version(),
            "memory": self.supervisor.memory(),
            "isolation": self.supervisor.isolation,
            "callers": self.doors.callers,
            "tls": self.tls
            and {"fingerprint": self.tls.fingerprint, "wants_client_certificates": self.tls.wants_clients},
            "development": self.settings.development,
            "missing_isolation": self.supervisor.missing,
            "functions": len(self.supervisor.names()),
            "fingerprint": fingerprint(),
            **inventory.about(self.deployments),
            "cores": os.cpu_count(),
            "uptime_s": round(time.monotonic() - self._started, 1),
        }


def _range_of(settings: BoxSettings) -> range:
    if settings.uids is None or os.geteuid() != 0:
        return default_range()
    first, last = settings.uids
    return range(first, last + 1)


def _requirement_of(settings: BoxSettings) -> Requirement:
    required = os.geteuid() == 0 if settings.require_isolation is None else settings.require_isolation
    return Requirement(required, settings.allow_missing)
