"""A deployment: the blobs that it needs, what it is asked for, and its events, one JSON object a line."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from edgefn.api.problems import Problem
from edgefn.api.scalars import Digest, Ordinal

BlobDigest = Annotated[str, msgspec.Meta(pattern=r"\Asha256:[0-9a-f]{64}\Z")]
"""Of a manifest or of another blob; checked."""

Step = Literal["verify", "permit", "unpack", "finish", "prove", "start", "compare", "activate"]

_Number = Annotated[int, msgspec.Meta(ge=1)]


class BlobRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The blobs of a bundle."""

    digests: list[BlobDigest]


class MissingBlobs(msgspec.Struct, frozen=True):
    """Those of them that the box does not have."""

    missing: list[Digest]


class DeployRequest(msgspec.Struct, forbid_unknown_fields=True):
    """The bundle to deploy, whose blobs the box has."""

    manifest: BlobDigest


class RollbackRequest(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The number of the revision to go back to; None is the one before the current."""

    number: _Number | None = None


class RevisionInfo(msgspec.Struct, frozen=True):
    """The revision of a function that serves from now on."""

    function: str
    revision: Digest
    number: Ordinal


class StepEvent(msgspec.Struct, frozen=True, tag_field="event", tag="step"):
    """`done` of `total` parts of the step `name` are done; `detail` is what it is about."""

    name: str
    done: int = 0
    total: int = 0
    detail: str = ""


class WarningEvent(msgspec.Struct, frozen=True, tag_field="event", tag="warning"):
    """A remark for the deployer; the deployment goes on."""

    text: str


class AliveEvent(msgspec.Struct, frozen=True, tag_field="event", tag="alive"):
    """The deployment goes on; there is nothing new to tell."""


class DeployedEvent(msgspec.Struct, frozen=True, tag_field="event", tag="deployed"):
    """The last event of a deployment that succeeded; `finishing` artifacts are still to be finished."""

    function: str
    revision: Digest
    number: Ordinal
    finishing: int = 0


class ErrorEvent(Problem, frozen=True, kw_only=True, tag_field="event", tag="error"):
    """The last event of a deployment that failed: the problem, and what the CLI leaves with."""

    exit_code: int = 1


DeploymentEvent: TypeAlias = StepEvent | WarningEvent | AliveEvent | DeployedEvent | ErrorEvent


class _Kind(msgspec.Struct):
    event: str


_KNOWN = {str(kind.__struct_config__.tag) for kind in (StepEvent, WarningEvent, AliveEvent, DeployedEvent, ErrorEvent)}


_DECODER: msgspec.json.Decoder[DeploymentEvent] = msgspec.json.Decoder(DeploymentEvent)


def read_event(line: str | bytes) -> DeploymentEvent | None:
    """Return the event of a line; None for one of a kind that only a newer box has.

    Raises msgspec.DecodeError.
    """
    if msgspec.json.decode(line, type=_Kind).event not in _KNOWN:
        return None
    return _DECODER.decode(line)
