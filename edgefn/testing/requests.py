"""A call's arguments as a request: its content type, its body and its query, as usual clients write them.

    json=value              application/json
    data={"name": "text"}   application/x-www-form-urlencoded
    data=Path("cat.jpg")    the file, with the content type of its extension
    data=b"…", data="…"     those bytes without a content type; that text as text/plain
    files={"image": …}      multipart/form-data, with the fields of `data` as text

It must never look at the function that is called.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from edgefn.codec.media_types import FORM, JSON, MULTIPART, OCTETS, of_file

Text = str | int | float | bool
Fields = Mapping[str, Text | Sequence[Text]]
"""Fields of a form or of a query; a sequence is a field that comes several times."""

Upload = Path | bytes | tuple[str, bytes] | tuple[str, bytes, str]
"""A file: a path; its bytes; (filename, bytes); (filename, bytes, content type)."""

Files = Mapping[str, Upload | list[Upload]]
Data = Fields | Path | bytes | bytearray | memoryview | str | None

UNSET = msgspec.UNSET
"""No `json=`: None is JSON's null."""


class Sent(NamedTuple):
    """What goes into the request; `content_type` is "" where the client says none."""

    content_type: str
    body: bytes


def sent(json: Any = UNSET, data: Data = None, files: Files | None = None) -> Sent:
    """Return the body of a request and its content type.

    Raise ValueError where two bodies are given, and OSError for a file that cannot be read.
    """
    if json is not UNSET and (data is not None or files is not None):
        raise ValueError("a request has one body: give json=, or data= and files=")
    if json is not UNSET:
        return Sent(JSON, msgspec.json.encode(json, enc_hook=_plain))
    if files is not None:
        if data is not None and not isinstance(data, Mapping):
            raise ValueError("beside files=, data= is a dict of the form's other fields")
        return _multipart(data or {}, files)
    return _body(data)


def query_string(query: Fields | str | None) -> str:
    """Return the query without its question mark; a text is one already."""
    if query is None or isinstance(query, str):
        return query or ""
    return urlencode(list(_pairs(query)))


def _body(data: Data) -> Sent:
    match data:
        case None:
            return Sent("", b"")
        case Path():
            return Sent(of_file(data), data.read_bytes())
        case str():
            return Sent("text/plain; charset=utf-8", data.encode())
        case bytes() | bytearray() | memoryview():
            return Sent("", bytes(data))
    return Sent(FORM, urlencode(list(_pairs(data))).encode())


def _pairs(fields: Fields) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        several = [value] if isinstance(value, str | int | float) else value
        yield from ((name, _text(one)) for one in several)


def _text(value: Text) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _multipart(fields: Fields, files: Files) -> Sent:
    parts = [(_disposition(name), text.encode()) for name, text in _pairs(fields)]
    for name, given in files.items():
        for one in given if isinstance(given, list) else [given]:
            filename, data, media = _upload(one)
            parts.append((f"{_disposition(name)}; filename={_quoted(filename)}\r\ncontent-type: {media}", data))
    boundary = secrets.token_hex(16)
    body = b"".join(b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary.encode(), head.encode(), data) for head, data in parts)
    return Sent(f"{MULTIPART}; boundary={boundary}", body + b"--%b--\r\n" % boundary.encode())


def _upload(file: Upload) -> tuple[str, bytes, str]:
    match file:
        case Path():
            return file.name, file.read_bytes(), of_file(file)
        case (filename, data):
            return filename, data, of_file(Path(filename))
        case (filename, data, media):
            return filename, data, media
    return "file", file, OCTETS


def _disposition(name: str) -> str:
    return f"content-disposition: form-data; name={_quoted(name)}"


def _quoted(text: str) -> str:
    """Return `text` as browsers write a name into a head (HTML, multipart form data)."""
    escaped = re.sub('[\r\n"]', lambda found: f"%{ord(found[0]):02X}", text)
    return f'"{escaped}"'


def _plain(value: Any) -> Any:
    """Return an array as lists: what a client's JSON has of it."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"json= holds a {type(value).__name__}, which JSON has no form for")
