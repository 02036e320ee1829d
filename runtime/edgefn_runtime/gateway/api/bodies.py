"""Request bodies of the admin API: bounded in size and in time, and checked before anything acts on them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Annotated, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request

from edgefn.errors import BodyTooLarge, InputError
from edgefn.spec import NAME_PATTERN

MAX_JSON_BYTES = 64 * 2**10
"""The longest is the list of a bundle's digests: 71 characters each, a dozen of them."""

STALL_S = 60.0
"""A client that sends nothing for so long has gone without saying so, as a box that lost its network does."""

Name = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN, max_length=63)]
"""A function's."""

T = TypeVar("T")

_PATH = re.compile(r"(.*) - at `\$\.?(.+)`\Z", re.DOTALL)
_KEY = re.compile(r"Object (?:missing required|contains unknown) field `(.+)`\Z")


async def read_json(request: Request, kind: type[T]) -> T:
    """Return the body as a `kind`; an empty body reads as `{}`. Raises InputError naming the field."""
    return decode(await read(request, MAX_JSON_BYTES) or b"{}", kind)


def decode(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise _input_error(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the body is not JSON: {error}") from None


def check(value: str, kind: type[T], field: str) -> T:
    """Convert a part of the path or the query to `kind`. Raises InputError naming `field`."""
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}, not {value[:80]!r}", field=field) from None


def _input_error(message: str) -> InputError:
    if match := _PATH.match(message):
        return InputError(match[1], field=match[2])
    match = _KEY.match(message)
    return InputError(message, field=match[1] if match else "")


async def read(request: Request, most: int) -> bytes:
    """Return the body. Raises BodyTooLarge as soon as more than `most` bytes of it have come."""
    body = bytearray()
    async for chunk in chunks(request):
        body += chunk
        if len(body) > most:
            raise BodyTooLarge(f"the body of {request.url.path} is over {most} bytes")
    return bytes(body)


async def chunks(request: Request) -> AsyncIterator[bytes]:
    """Yield the chunks of the body as they come. Raises HTTPException 408 where the client stalls."""
    stream = request.stream()
    while True:
        try:
            async with asyncio.timeout(STALL_S):
                chunk = await anext(stream, None)
        except TimeoutError:
            raise HTTPException(408, f"no bytes came for {STALL_S:.0f} s; send the body again") from None
        if chunk is None:
            return
        if chunk:
            yield chunk


def content_length(request: Request) -> int:
    """Return the declared size of the body; 411 where there is none, as with chunked transfer."""
    text = request.headers.get("content-length", "")
    if not text.isdecimal():
        raise HTTPException(411, "the Content-Length header is required: give the size of the blob")
    return int(text)
