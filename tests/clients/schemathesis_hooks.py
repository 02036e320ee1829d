"""What schemathesis cannot know of the functions: which bytes are an image. Loaded by it, by SCHEMATHESIS_HOOKS."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import schemathesis
from hypothesis import strategies as st

from edgefn.codec.json_schema import ONE_PIXEL
from tests.clients.samples import BLUE, RED, base64_of

_PICTURES = {base64_of(data): data for data in (RED, BLUE)} | {ONE_PIXEL: base64.b64decode(ONE_PIXEL)}

schemathesis.openapi.format("byte", st.sampled_from([base64_of(RED), base64_of(BLUE)]))
schemathesis.openapi.format("binary", st.sampled_from([RED, BLUE]))
for media in ("image/*", "application/octet-stream"):
    schemathesis.openapi.media_type(media, st.sampled_from([RED, BLUE]))


@schemathesis.serializer("application/msgpack")
def as_msgpack(context: Any, value: Any) -> bytes:
    """Encode a body, with bin where JSON has base64."""
    return msgspec.msgpack.encode(_with_bytes(value))


def _with_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_bytes(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_bytes(one) for one in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return 2**63  # MessagePack has no larger ones
    return _PICTURES.get(value, value) if isinstance(value, str) else value


@schemathesis.deserializer("application/msgpack")
def from_msgpack(context: Any, response: Any) -> Any:
    """Decode an answer, so that it is held against its schema."""
    return msgspec.msgpack.decode(response.content)


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave arrays to JSON: their bytes are no image, and base64 and bytes are images here."""
    return "take_rows" not in case.operation.path or bool(case.media_type == "application/json")


@schemathesis.hook
def map_headers(context: Any, headers: Any) -> Any:
    """Wait as long as the function does: a time of a microsecond is valid, and its answer a 503."""
    if headers:
        headers.pop("X-Request-Timeout", None)
    return headers
