"""An answer to the command, read within bounds: the program at a URL may be no box, or a hostile one.

It is taken unchanged: no coding is undone, no character set but UTF-8 is read, and none may come for ever.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import httpx
import msgspec

from edgefn.errors import BoxUnreachable

T = TypeVar("T")

MAX_BYTES = 65 * 2**20
"""A function's answer has at most 64 MiB, and all other answers of a box are far smaller."""
MAX_JSON_BYTES = 16 * 2**20
"""Of JSON, and of a line: empty lists take twenty times their text."""
SLOWEST_BYTES_PER_S = 4096
"""What an answer must come with on average once the time for it is over; the box asks as much of a body."""


class Strange(BoxUnreachable):
    """The answer is not of a box that this command can read. The message gives the reason."""


@dataclass(frozen=True)
class JsonAnswer(Generic[T]):
    """A JSON answer: `value`, which has what this edgefn knows of it, and `json`, all as the box sent it."""

    value: T
    json: Any


@dataclass(frozen=True)
class Received:
    """A complete answer. `seconds` is how long it took."""

    status: int
    reason: str
    headers: httpx.Headers
    content: bytes
    seconds: float

    @property
    def text(self) -> str:
        """Return the content as UTF-8, which all text of a box is."""
        return self.content.decode("utf-8", "replace")


def whole(response: httpx.Response, timeout_s: float | None, began: float) -> Received:
    """Read all of `response`. Raises Strange when it is too large, too slow or has a coding."""
    content = bytearray()
    for piece in _pieces(response):
        content += piece
        if len(content) > MAX_BYTES:
            raise Strange(f"over {MAX_BYTES} bytes")
        took_s = time.monotonic() - began
        if timeout_s is not None and took_s > timeout_s + len(content) / SLOWEST_BYTES_PER_S:
            raise Strange(f"{len(content)} bytes in {took_s:.0f} s without finishing")
    seconds = time.monotonic() - began
    return Received(response.status_code, response.reason_phrase, response.headers, bytes(content), seconds)


def lines(response: httpx.Response) -> Iterator[str]:
    """Yield the lines of `response` as they come, without their ends.

    Raises Strange for a line that does not end.
    """
    rest = bytearray()
    for piece in _pieces(response):
        *ended, last = piece.split(b"\n")
        for line in ended:
            yield (rest + line).decode("utf-8", "replace")
            rest = bytearray()
        rest += last
        if len(rest) > MAX_JSON_BYTES:
            raise Strange(f"a line of over {MAX_JSON_BYTES} bytes")
    if rest:
        yield rest.decode("utf-8", "replace")


def answer(text: str, kind: type[T]) -> JsonAnswer[T]:
    """Return `text` as a `kind`. Raises Strange when it is none."""
    return JsonAnswer(decoded(text, partial(msgspec.json.decode, type=kind)), decoded(text, json.loads))


def decoded(text: str, decode: Callable[[str], T]) -> T:
    """Return what `decode` makes of the JSON `text`. Raises Strange when it makes nothing of it."""
    if len(text) > MAX_JSON_BYTES:
        raise Strange(f"over {MAX_JSON_BYTES} bytes of JSON")
    try:
        return decode(text)
    except msgspec.ValidationError as error:
        raise Strange(f"JSON of another form ({error})") from None
    except (ValueError, msgspec.DecodeError, RecursionError):
        raise Strange("text that is not JSON") from None


def _pieces(response: httpx.Response) -> Iterator[bytes]:
    """Yield the answer's raw bytes: a kilobyte that would unpack to a gigabyte stays a kilobyte.

    Raises Strange for a compressed answer.
    """
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Strange("with compressed content, which this command does not accept")
    return response.iter_raw()
