"""A deployed function as a box sees it: its revisions, its processes and its traffic."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from edgefn.api.artifacts import ArtifactReason, Finishing, ServingArtifact
from edgefn.api.grants import Grant
from edgefn.api.scalars import Callers, Digest, Moment, Ordinal
from edgefn.api.specs import DeployedSpec


class TemplateInfo(msgspec.Struct, kw_only=True):
    """The template of a function. `private_bytes` is memory that no other process shares, None where it has ended."""

    pid: int
    private_bytes: int | UnsetType | None = UNSET


class InstanceInfo(msgspec.Struct, kw_only=True):
    """One instance: its state, the requests in it, those that it has answered, and its memory as of a template."""

    pid: int
    state: str
    in_flight: int = 0
    served: int = 0
    age_s: float = 0.0
    private_bytes: int | UnsetType | None = UNSET


class MemoryAccount(msgspec.Struct, frozen=True):
    """What the box's memory budget counts for a function: its template, each instance, and what it holds now.

    Until an instance is `measured`, it counts with the memory that the function declares.
    """

    template_bytes: int = 0
    instance_bytes: int = 0
    measured: bool = False
    held_bytes: int = 0


class OutputFigures(msgspec.Struct, frozen=True):
    """What a function printed over its budget, and the box dropped."""

    dropped_lines: int = 0
    dropped_bytes: int = 0


class CoreFigures(msgspec.Struct, frozen=True):
    """The processors that a function may use and those that a busy instance wants, None before one was busy.

    `most_instances` is what that allows, and `why` is what bounds it.
    """

    available: float
    threads: int
    optimize: str
    use: float | None
    most_instances: int
    why: str


class BatchingFigures(msgspec.Struct, frozen=True):
    """The batching of a model: its limits, and the means of what `instances` have measured.

    `on` is None while no instance has measured, else whether one batches.
    """

    model: str
    most_rows: int
    wait_s: float
    on: bool | None = None
    mean_rows: float | None = None
    gain: float | None = None
    instances: int = 0


class PastRevision(msgspec.Struct, frozen=True):
    """A deployment of a function: an entry of its history."""

    number: Ordinal
    revision: Digest
    deployed_at: Moment


class FunctionProcesses(msgspec.Struct, kw_only=True):
    """The processes and the traffic of a function. `phases` are the seconds of its last cold start, by "import_s", …

    `reason` is why it is in its state, and `retry_after_s` when a failed one is tried again.
    """

    name: str
    state: str
    reason: str = ""
    retry_after_s: Ordinal | None = None
    instances: list[InstanceInfo] = []
    template: TemplateInfo | None = None
    queued: int = 0
    requests: int = 0
    errors: int = 0
    cold_starts: int = 0
    phases: dict[str, float] = {}
    memory: MemoryAccount = MemoryAccount()
    output: OutputFigures = OutputFigures()
    cores: CoreFigures | None = None
    batching: list[BatchingFigures] = []
    missing_isolation: dict[str, str] = {}


class FunctionStatus(FunctionProcesses, kw_only=True):
    """All about a deployed function. `changed` is as in Explanation; `asked` and `grants` are its permissions."""

    revision: Digest
    number: Ordinal
    spec: DeployedSpec | None = None
    deployed_at: Moment = ""
    artifacts: list[ServingArtifact] = []
    finishing: Finishing | None = None
    broken: list[ArtifactReason] = []
    out_of_bound: list[ArtifactReason] = []
    changed: str = ""
    asked: list[str] = []
    grants: list[Grant] = []
    callers: Callers = "token"
    history: list[PastRevision] = []


class FunctionList(msgspec.Struct, frozen=True):
    """The status of every function of a box."""

    functions: list[FunctionStatus]
