"""A box: its version, its hardware, and what it cannot run."""

from __future__ import annotations

import msgspec

from edgefn.api.scalars import Callers
from edgefn.targets.matcher import TargetRefusal


class BoxAddress(msgspec.Struct, frozen=True):
    """Where the live box of a home listens: its run/box.json."""

    url: str
    pid: int = 0


class MemoryTotals(msgspec.Struct, frozen=True):
    """What functions may take, what they are counted with, and what the machine has left, in bytes."""

    budget_bytes: int
    committed_bytes: int
    available_bytes: int


class TlsInfo(msgspec.Struct, frozen=True):
    """The SHA-256 of the box's certificate, and whether its clients need one of their own."""

    fingerprint: str
    wants_client_certificates: bool = False


class CpuInfo(msgspec.Struct, frozen=True):
    """The CPU; `features` are those that targets ask for."""

    arch: str
    name: str = ""
    features: list[str] = []


class TargetsInfo(msgspec.Struct, frozen=True):
    """The targets that the box satisfies, and why it does not satisfy the others."""

    satisfied: list[str] = []
    refused: list[TargetRefusal] = []


class FunctionRefusal(TargetRefusal, frozen=True, kw_only=True):
    """An artifact of a deployed function that the box cannot run, and why."""

    function: str


class BoxInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A box. `isolation` has True, or the reason why it is not enforced, for each layer; {} until that is known.

    `missing_isolation` has the reasons of those layers that the operator does not do without.
    """

    name: str
    version: str = ""
    pid: int = 0
    url: str = ""
    home: str = ""
    python: str = ""
    memory: MemoryTotals | None = None
    isolation: dict[str, bool | str] = {}
    callers: Callers = "token"
    tls: TlsInfo | None = None
    development: bool = False
    missing_isolation: dict[str, str] = {}
    functions: int = 0
    fingerprint: str = ""
    cpu: CpuInfo | None = None
    engines: dict[str, str] = {}
    devices: list[str] = []
    targets: TargetsInfo = TargetsInfo()
    refused: list[FunctionRefusal] = []
    cores: int | None = None
    uptime_s: float = 0.0
