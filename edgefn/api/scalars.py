"""Texts and numbers of a form of their own: documented, and taken as they come by whoever reads an answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta

ArtifactState = Literal["serving", "ready", "finishing", "unfinished", "broken", "refused", "out of bound"]
CallerRule = Literal["token", "open", "loopback"]
"""Who may call the functions of a box."""

DIGEST: dict[str, Any] = {"pattern": "^sha256:[0-9a-f]{64}$"}

Digest = Annotated[str, Meta(extra_json_schema=DIGEST)]
Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Ordinal = Annotated[int, Meta(extra_json_schema={"minimum": 1})]
StateName = Annotated[str, Meta(extra_json_schema={"enum": list(get_args(ArtifactState))})]
Callers = Annotated[str, Meta(extra_json_schema={"enum": list(get_args(CallerRule))})]
