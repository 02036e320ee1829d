"""What the admin side of the gateway needs of the box: the seams, as Protocols, on the side that uses them.

Tests put a small fake behind them; the real ones are `deployment.deployments.DeploymentsPort`,
`supervisor.SupervisorPort` and `box.Box`. Nothing here acts.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Sequence
from pathlib import Path
from typing import Any, Protocol

from edgefn.bundle.config import BundleConfig
from edgefn.spec import FunctionSpec
from edgefn_runtime.access.doors import Doors
from edgefn_runtime.artifacts.artifact_status import Chain
from edgefn_runtime.deployment.checks.permissions import Permission
from edgefn_runtime.store.database import Grant
from edgefn_runtime.store.vault import Vault
from edgefn_runtime.telemetry.audit import AuditLog
from edgefn_runtime.telemetry.logs import FunctionLogs
from edgefn_runtime.telemetry.metrics import Metrics


class Past(Protocol):
    """A deployment of a function, as its history has it."""

    @property
    def digest(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def deployed_at(self) -> str: ...


class RevisionView(Past, Protocol):
    """A bundle installed under a function's name, as the admin API tells of it."""

    @property
    def config(self) -> BundleConfig: ...
    @property
    def finished(self) -> Path:
        """Return the folder of the finished artifacts, each with its proof.json."""


class DeploymentsPort(Protocol):
    """Which revision a function has, and the road to another one."""

    def names(self) -> Sequence[str]: ...
    def missing(self, digests: Sequence[str]) -> Collection[str]: ...
    async def ingest(self, digest: str, size: int, chunks: AsyncIterator[bytes]) -> None: ...
    def deploy(self, name: str, manifest: str) -> AsyncIterator[dict[str, Any]]:
        """The events of a deployment; closing the iterator cancels it."""

    async def rollback(self, name: str, number: int | None = None) -> RevisionView: ...
    async def remove(self, name: str) -> None: ...
    def current(self, name: str) -> RevisionView | None: ...
    def specs(self) -> Sequence[tuple[FunctionSpec, int, str]]:
        """Return what each function is, by name, with the number and the digest that serve."""

    def history(self, name: str) -> Sequence[Past]: ...
    def chain(self, name: str) -> Chain | None:
        """What the artifacts of `name` are at; None when it is not deployed."""

    def grants(self, name: str = "") -> Sequence[Grant]:
        """Return what `name` may have beyond its sandbox, or what all may have."""

    def asked(self, name: str) -> Sequence[Permission]:
        """Return what `name` asks for."""

    async def allow(self, name: str, permission: Permission, by: str) -> None: ...
    async def revoke(self, name: str, permission: Permission) -> None: ...
    def explain(self, name: str, cores: float) -> dict[str, Any] | None:
        """Why it is served as it is, with the figures; None when it is not deployed."""


class SupervisorPort(Protocol):
    """The processes. Asking for a status starts none."""

    def names(self) -> Collection[str]: ...
    def status(self, name: str) -> dict[str, Any]:
        """FunctionStatus but for what Deployments knows; raises FunctionNotFound."""

    async def stop_function(self, name: str) -> None: ...


class AdminBox(Protocol):
    """A box, as the admin API, health and metrics see it."""

    @property
    def doors(self) -> Doors: ...
    @property
    def deployments(self) -> DeploymentsPort: ...
    @property
    def supervisor(self) -> SupervisorPort: ...
    @property
    def logs(self) -> FunctionLogs: ...
    @property
    def metrics(self) -> Metrics: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def vault(self) -> Vault: ...
    def info(self) -> dict[str, Any]:
        """Return the body of GET /admin/box."""

    def unready(self) -> str:
        """Why the box takes no work now (the zygote is not up, a drain is going on), or "" when it does."""
