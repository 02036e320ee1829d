"""Media types: what a Content-Type says, and which of the types on offer an Accept header prefers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

JSON = "application/json"
MSGPACK = "application/msgpack"
X_MSGPACK = "application/x-msgpack"
NPY = "application/x-npy"
OCTETS = "application/octet-stream"
TEXT = "text/plain"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

REMEMBERED = 256
"""Headers come from outside, so the caches are bounded; real clients send a few dozen different ones."""


class MediaType(NamedTuple):
    """A media type in lower case ("" when none was sent) and the two parameters that matter here."""

    name: str
    charset: str = ""
    boundary: str = ""

    @property
    def is_json(self) -> bool:
        return self.name in (JSON, "text/json") or self.name.endswith("+json")

    @property
    def is_msgpack(self) -> bool:
        return self.name in (MSGPACK, X_MSGPACK, "application/vnd.msgpack")

    @property
    def is_utf8(self) -> bool:
        """Whether text of this type is UTF-8, which ASCII is a part of; UTF-8 is also what no charset means."""
        return self.charset in ("", "utf-8", "utf8", "us-ascii", "ascii")


@lru_cache(REMEMBERED)
def media_type(header: str) -> MediaType:
    """The media type of a Content-Type header's value."""
    name, *parameters = _split(header, ";")
    found = {"charset": "", "boundary": ""}
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() in found:
            found[key.strip().lower()] = _unquoted(value.strip())
    return MediaType(name.strip().lower(), found["charset"].lower(), found["boundary"])


@lru_cache(REMEMBERED)
def preferred(accept: str, offers: tuple[str, ...]) -> str:
    """The offer that `accept` wants most (RFC 9110, 12.5.1); the first offer when it wants none or says nothing."""
    ranges = [_media_range(text) for text in _split(accept, ",") if text.strip()]
    best, best_quality = offers[0], 0.0
    for offer in offers:
        quality = _quality(offer, ranges)
        if quality > best_quality:
            best, best_quality = offer, quality
    return best


def _quality(offer: str, ranges: Sequence[tuple[str, float]]) -> float:
    by_range = dict(reversed(ranges))
    for pattern in (offer, offer.partition("/")[0] + "/*", "*/*"):
        if pattern in by_range:
            return by_range[pattern]
    return 0.0


def _media_range(text: str) -> tuple[str, float]:
    name, *parameters = _split(text, ";")
    quality = 1.0
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            quality = _number(value.strip())
    return name.strip().lower(), quality


def _number(text: str) -> float:
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 0.0


def _split(text: str, separator: str) -> list[str]:
    """`text` at each separator that is not inside double quotes."""
    if '"' not in text:
        return text.split(separator)
    parts, quoted = [""], False
    for character in text:
        quoted ^= character == '"'
        if character == separator and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) >= 2 and text[0] == text[-1] == '"' else text
