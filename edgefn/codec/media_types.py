"""Media types: their names, and what a Content-Type says. Pure."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import PurePath
from typing import Any, NamedTuple, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

JSON = "application/json"
MSGPACK = "application/msgpack"
X_MSGPACK = "application/x-msgpack"
VND_MSGPACK = "application/vnd.msgpack"
NPY = "application/x-npy"
OCTETS = "application/octet-stream"
TEXT = "text/plain"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

BY_SUFFIX = {
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": JSON,
    ".msgpack": MSGPACK,
    ".npy": NPY,
    ".png": "image/png",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
}
"""The content type of a file that is a request's body. The `mimetypes` module's differs from machine to machine."""

REMEMBERED = 256
"""Headers come from outside, so the caches are bounded; real clients send a few dozen different ones."""

MAX_REMEMBERED = 512
"""Characters of a header that is remembered: others have up to 128 KiB."""


class MediaType(NamedTuple):
    """A media type in lower case ("" when none was sent) and the two parameters that matter here."""

    name: str
    charset: str = ""
    boundary: str = ""

    @property
    def is_json(self) -> bool:
        return self.name in (JSON, "text/json") or self.name.endswith("+json")

    @property
    def is_document(self) -> bool:
        """Tell whether it is JSON or msgpack: values with a structure of their own."""
        return self.is_json or self.is_msgpack

    @property
    def is_msgpack(self) -> bool:
        return self.name in (MSGPACK, X_MSGPACK, VND_MSGPACK)

    @property
    def is_utf8(self) -> bool:
        """Tell whether text of this type is UTF-8, which ASCII is a part of; UTF-8 is also what no charset means."""
        return self.charset in ("", "utf-8", "utf8", "us-ascii", "ascii")

    def reads_as_utf8(self, data: bytes | bytearray | memoryview) -> bool:
        """Tell whether text of this type is the same in UTF-8: it is UTF-8, or ASCII sent as a larger charset."""
        return self.is_utf8 or (self.charset.startswith(_OF_ASCII) and bytes(data).isascii())


_OF_ASCII = (
    *("iso-8859-", "iso8859-", "iso_8859-", "latin", "windows-", "cp125", "cp437", "cp85", "ibm437", "ibm85"),
    *("gb2312", "gbk", "gb18030", "big5", "euc-", "shift_jis", "koi8-", "tis-620", "macintosh", "ansi_x3.4"),
)
"""Charsets that ASCII is a part of. Some clients name theirs whatever they send."""


def remembered(read: Callable[[str, *Ts], T]) -> Callable[[str, *Ts], T]:
    """Return `read`, whose answers for short headers are remembered."""
    cached: Any = lru_cache(REMEMBERED)(read)

    @wraps(read)
    def look(header: str, *rest: *Ts) -> T:
        found: T = (cached if len(header) <= MAX_REMEMBERED else read)(header, *rest)
        return found

    return look


def of_file(path: PurePath) -> str:
    """Return the content type of a file by its extension; "application/octet-stream" for others."""
    return BY_SUFFIX.get(path.suffix.lower(), OCTETS)


@remembered
def media_type(header: str) -> MediaType:
    """Return the media type of a Content-Type header's value."""
    name, *parameters = split_header(header, ";")
    found = {"charset": "", "boundary": ""}
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip().lower() in found:
            found[key.strip().lower()] = _unquoted(value.strip())
    return MediaType(name.strip().lower(), found["charset"].lower(), found["boundary"])


def split_header(text: str, separator: str) -> list[str]:
    """Split `text` at each separator that is not inside double quotes."""
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
