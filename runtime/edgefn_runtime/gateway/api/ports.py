"""The parts of the box that the admin side of the gateway uses: Protocols, on the side that uses them.

Tests put a small fake behind them; the real ones are `deployment.deployments.Deployments`,
`supervisor.Supervisor` and `box.Box`. Nothing here acts.
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
    """A deployment of a function: an entry of its history."""

    @property
    def digest(self) -> str: ...
    @property
    def number(self) -> int: ...
    @property
    def deployed_at(self) -> str: ...


class RevisionView(Past, Protocol):
    """A bundle installed under a function's name, as the admin API describes it."""

    @property
    def config(self) -> BundleConfig: ...
    @property
    def finished(self) -> Path:
        """Return the folder of the finished artifacts, each with its proof.json."""


class ChainsPort(Protocol):
    """The artifacts of what is deployed."""

    def of(self, name: str) -> Chain | None:
        """Return the state of each artifact of `name`; None when it is not deployed."""

    def explain(self, name: str, cores: float) -> dict[str, Any] | None:
        """Explain why `name` is served as it is, with the figures; None when it is not deployed."""


class DeploymentsPort(Protocol):
    """The deployed revisions, and the ways to change them."""

    @property
    def chains(self) -> ChainsPort: ...

    def names(self) -> Sequence[str]: ...
    def missing(self, digests: Sequence[str]) -> Collection[str]: ...
    async def ingest(self, digest: str, size: int, chunks: AsyncIterator[bytes]) -> None: ...
    def deploy(self, name: str, manifest: str) -> AsyncIterator[dict[str, Any]]:
        """Deploy the bundle `manifest` as `name`; yield the events. Closing the iterator cancels it."""

    async def rollback(self, name: str, number: int | None = None) -> RevisionView: ...
    async def remove(self, name: str) -> None: ...
    def current(self, name: str) -> RevisionView | None: ...
    def specs(self) -> Sequence[tuple[FunctionSpec, int, str]]:
        """Return the spec of each function, by name, with the number and the digest that serve."""

    def history(self, name: str) -> Sequence[Past]: ...
    def grants(self, name: str = "") -> Sequence[Grant]:
        """Return the grants of `name`, or of all functions."""

    def asked(self, name: str) -> Sequence[Permission]:
        """Return the permissions that `name` asks for."""

    async def allow(self, name: str, permission: Permission, by: str) -> None: ...
    async def revoke(self, name: str, permission: Permission) -> None: ...


class SupervisorPort(Protocol):
    """The processes. Asking for a status starts none."""

    def names(self) -> Collection[str]: ...
    def status(self, name: str) -> dict[str, Any]:
        """Return the part of FunctionStatus that Deployments does not know. Raises FunctionNotFound."""

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
        """Return why the box takes no work now (the zygote is not up, a drain is going on); "" when it does."""
