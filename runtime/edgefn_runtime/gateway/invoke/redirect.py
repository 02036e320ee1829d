"""Paths of functions with a slash too many, or escapes that they do not need: moved for good to the clean one.

The answer is a 308 (RFC 9110, 15.4.9). A function answers at `/fn/NAME` only, so that a proxy's rules for that path
hold for every way to call it.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from starlette.exceptions import HTTPException

from edgefn_runtime.gateway.problems import ProblemResponse

_PREFIX = b"/fn/"
_SLASHES = re.compile(rb"/+")
_PLAIN = re.compile(rb"/fn/[A-Za-z0-9_][A-Za-z0-9_.-]*")


_NEEDLESS = re.compile(rb"%(?:2[DEF]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AE])", re.IGNORECASE)
"""Escapes of characters that need none, and of the slash (RFC 3986, 2.3)."""


def has_needless_escapes(raw_path: bytes) -> bool:
    """Tell whether `raw_path` can be written without some of its escapes.

    A proxy's rules may not decode them.
    """
    return _NEEDLESS.search(raw_path) is not None


def clean(raw_path: bytes) -> bytes | None:
    """Return the path of the function that `raw_path` means; None where it is clean, or means none."""
    if b"%" in raw_path and _PLAIN.fullmatch(plain := unquote_to_bytes(raw_path)):
        return plain
    path = _SLASHES.sub(b"/", raw_path)
    if not path.startswith(_PREFIX) or len(path) == len(_PREFIX):
        return None
    path = path.rstrip(b"/")
    return None if path == raw_path else path


class Redirect:
    """Answer 308 with `path`, an ASGI application. The query goes along."""

    def __init__(self, path: bytes) -> None:
        self._path = path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        query: bytes = scope["query_string"]
        location = (self._path + (b"?" + query if query else b"")).decode("latin-1")
        error = HTTPException(
            308, "the path has unnecessary slashes or escapes; use the path in Location", {"location": location}
        )
        await ProblemResponse(error)(scope, receive, send)
