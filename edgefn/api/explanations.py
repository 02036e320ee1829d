"""Why a function is served with its present artifacts, and what would make it faster."""

from __future__ import annotations

import msgspec

from edgefn.api.artifacts import ArtifactStatus, Finishing
from edgefn.api.scalars import Digest, Ordinal
from edgefn.targets.matcher import TargetRefusal


class Advice(msgspec.Struct, frozen=True):
    """One piece of advice, and the rule that gave it: install, build, accuracy, threads or batch."""

    rule: str
    text: str


class Explanation(msgspec.Struct, frozen=True):
    """A function's artifacts by rank, those that are not for this box, and advice for more speed.

    `changed` is how the box differs from its last start, where that had the artifacts finished again.
    """

    function: str
    revision: Digest
    number: Ordinal = 0
    artifacts: list[ArtifactStatus] = []
    refusals: list[TargetRefusal] = []
    finishing: Finishing | None = None
    changed: str = ""
    advice: list[Advice] = []
