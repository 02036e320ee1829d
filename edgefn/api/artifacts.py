"""The artifacts of a function on a box: which one serves, and why not the others."""

from __future__ import annotations

import msgspec

from edgefn.api.scalars import Ordinal, StateName


class Finishing(msgspec.Struct, frozen=True):
    """Progress of finishing: `done` of `total` artifacts; `artifact` has been worked on since `since`, ISO 8601.

    `artifact` is "" while artifacts of another function come first, or requests wait.
    """

    done: int
    total: int
    artifact: str = ""
    since: str = ""


class ArtifactStatus(msgspec.Struct, frozen=True):
    """One artifact: its state, its rank among those that could serve (1 is the first), and its figures.

    `answers` is the number of the handler's answers with it that match eager PyTorch's, or why that is not known.
    `ratio` is its latency over that of the model's portable artifact. Durations in seconds, sizes in bytes.
    """

    model: str
    target: str
    backend: str = ""
    state: StateName = ""
    rank: Ordinal | None = None
    reason: str = ""
    latency_s: float | None = None
    ratio: float | None = None
    error: float | None = None
    error_limit: float | None = None
    max_error: float | None = None
    max_error_bound: float | None = None
    top1: float | None = None
    top1_bound: float | None = None
    finish_s: float | None = None
    load_s: float | None = None
    size_bytes: int | None = None
    answers: str = ""


class ServingArtifact(msgspec.Struct, frozen=True):
    """An artifact that serves, and what its proof on this box has measured.

    The proof's members are None for a while after the box's cache was deleted. `answers` is as in ArtifactStatus.
    """

    model: str
    target: str
    backend: str
    passed: bool | None = None
    verdict: str | None = None
    error: float | None = None
    max_error: float | None = None
    top1: float | None = None
    answers: str = ""


class ArtifactReason(msgspec.Struct, frozen=True):
    """An artifact that does not serve, "model target", and the reason."""

    artifact: str
    reason: str
