"""JSON as text: its byte order mark, whether a body is JSON at all, and where in it a fault lies."""

from __future__ import annotations

import re

import msgspec

Buffer = bytes | bytearray | memoryview

_USUAL = frozenset({b"{", b"["})
_MARK = b"\xef\xbb\xbf"
_AT_BYTE = re.compile(r"\(byte (\d+)\)")
_SURROGATE = re.compile(
    rb"(?<!\\)(?:\\\\)*\\u(?:[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})|[dD][c-fC-F][0-9a-fA-F]{2})"
)
_PAIR = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[\]{},:]', re.DOTALL)
"""A text that does not end is one, too: trying each quote inside it as the begin of another is quadratic."""

MAX_SEARCHED = 1 << 16
"""Bytes of a faulty document that are searched for the path of its fault; what lies behind has none."""


def without_mark(body: Buffer) -> Buffer:
    """Return `body` without the byte order mark that some editors and .NET clients begin JSON with."""
    return body[len(_MARK) :] if bytes(body[:1]) == _MARK[:1] and bytes(body[:3]) == _MARK else body


def begins(body: Buffer) -> bytes:
    """Return the first byte that is no white space and no mark.

    Empty where there is none in the first few bytes.
    """
    if (first := bytes(body[:1])) in _USUAL:
        return first
    return bytes(without_mark(body)[:256]).lstrip()[:1]


def is_document(body: Buffer, first: bytes = b"[{") -> bool:
    """Tell whether all of `body` is JSON and begins with one of `first`."""
    head = begins(body)
    if not head or head not in first:
        return False
    try:
        msgspec.json.decode(without_mark(body), type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def fault(body: Buffer, error: Exception) -> ValueError:
    """Return the fault of `body` as an error whose text ends with the path, where it can be found."""
    data = bytes(body[:MAX_SEARCHED])
    spared = _PAIR.sub(lambda pair: b" " * len(pair[0]), data)
    if lone := _SURROGATE.search(spared):
        escape = lone[0][-6:].decode("ascii")
        text = f"has a lone surrogate, {escape}: send both halves of the pair, or the character as UTF-8"
        return ValueError(f"{text} - at `${path(data, lone.end())}`")
    if "truncated" in str(error):
        return ValueError("JSON is truncated: it ends before its last bracket or quote is closed")
    at = _AT_BYTE.search(str(error))
    where = path(data, int(at[1])) if at and int(at[1]) < len(data) else ""
    return ValueError(f"{error} - at `${where}`" if where else str(error))


def path(data: bytes, offset: int) -> str:
    """Return the path of the value that byte `offset` of a JSON document stands in, e.g. `.boxes[2].label`."""
    steps: list[str | int | None] = []  # None for an object of which no name has come yet
    key, expects_key = b"", False
    for token in _TOKEN.finditer(data):
        if token.start() >= offset:
            break
        text = token[0]
        match text:
            case b"{":
                steps.append(None)
                expects_key = True
            case b"[":
                steps.append(0)
                expects_key = False
            case b"}" | b"]":
                if steps:
                    steps.pop()
                expects_key = False
            case b":":
                if steps and not isinstance(steps[-1], int):
                    steps[-1] = _name(key)
                expects_key = False
            case b",":
                if steps and isinstance(last := steps[-1], int):
                    steps[-1] = last + 1
                else:
                    expects_key = True
            case _ if expects_key:
                key = text
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps if step is not None)


def _name(key: bytes) -> str:
    try:
        return msgspec.json.decode(key, type=str)
    except ValueError:
        return key.decode("utf-8", "replace").strip('"')
