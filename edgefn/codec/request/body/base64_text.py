"""Base64 as people write it: wrapped, URL-safe, unpadded, or as a data: URL."""

from __future__ import annotations

import binascii
import re
from typing import Any
from urllib.parse import unquote_to_bytes

from msgspec import inspect

from edgefn.codec import members

_WRAPS = b"\t\n\v\f\r"
"""What lines of base64 are broken with. A space is none of it: it is prose, or a plus sign that was not escaped."""
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
BYTES = (inspect.BytesType, inspect.ByteArrayType, inspect.MemoryViewType)

_LONGEST_NAME = 255

_DATA_URL = re.compile(rb"data:([^,]*),", re.IGNORECASE)


def decoded(text: bytes) -> bytes:
    """Return the bytes of base64 text, or of a data: URL as browsers make them. Raise ValueError."""
    if url := _DATA_URL.match(text):
        text = unquote_to_bytes(text[url.end() :])
        if not url[1].rstrip().lower().endswith(b"base64"):
            return text
    if text.startswith((b"http://", b"https://")):
        raise ValueError("is a URL, which a box does not fetch: send the content itself, in base64 or as a file")
    plain = text.strip().translate(_URL_SAFE, _WRAPS).rstrip(b"=")
    try:
        return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4), strict_mode=True)
    except binascii.Error as error:
        raise ValueError(f"is not base64: {error}{_advice(text)}") from error


def _advice(text: bytes) -> str:
    """Say how a file is sent where `text` may be its name."""
    if len(text) > _LONGEST_NAME or b"\n" in text:
        return ""
    return '; send the content of a file, not its name: with curl, -F "name=@file"'


def normalised(raw: Any, info: inspect.Type, path: str = "") -> Any:
    """Return `raw` of JSON with bytes wherever `info` has them: msgspec reads standard base64 only.

    Raise ValueError, its text ending with the path, where a text is no base64.
    """
    if isinstance(raw, str) and members.holds(info, *BYTES) and not members.holds(info, inspect.StrType):
        try:
            return decoded(raw.encode())
        except ValueError as error:
            raise ValueError(f"{error} - at `${path}`") from error
    if isinstance(raw, list):
        return [normalised(one, members.item(info, n), f"{path}[{n}]") for n, one in enumerate(raw)]
    if isinstance(raw, dict):
        return {name: normalised(one, members.member(info, name), f"{path}.{name}") for name, one in raw.items()}
    return raw
