"""The request of `edgefn invoke`: body and headers, as httpx takes them.

Reads the user's files and stdin. It must never talk to a box.
"""

from __future__ import annotations

import json
import mimetypes
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgefn.errors import InputError

BINARY = "application/octet-stream"
STDIN = Path("-")
# What the system's table may lack.
_TYPES = {".msgpack": "application/msgpack", ".npy": "application/x-npy", ".webp": "image/webp", ".wav": "audio/wav"}


@dataclass(frozen=True)
class Body:
    """One of the ways to give a function its input; all None sends an empty body."""

    file: Path | None = None
    json: str | None = None
    data: str | None = None
    form: tuple[str, ...] = ()
    query: tuple[str, ...] = ()

    def options(self, content_type: str | None, accept: str | None) -> dict[str, Any]:
        """Return httpx's `content` or `files`, `headers` and `params`.

        Raises InputError for input that cannot be sent.
        """
        if sum(map(bool, (self.file is not None, self.json is not None, self.data is not None, self.form))) > 1:
            raise InputError("give one input only: --file, --json, --data or --form")
        headers = {"accept": accept or "*/*"}
        query = {"params": [_pair(text, "--query") for text in self.query]} if self.query else {}
        if self.form:
            return {"files": [_field(text) for text in self.form], "headers": headers, **query}
        own, content = self._content()
        chosen = content_type or own
        return {"content": content, "headers": headers | ({"content-type": chosen} if chosen else {}), **query}

    def _content(self) -> tuple[str, bytes]:
        if self.file is not None:
            return guess(self.file), _read(self.file)
        if self.json is not None:
            return "application/json", _json(self.json)
        if self.data is not None:
            return "text/plain; charset=utf-8", self.data.encode()
        return "", b""


def guess(path: Path) -> str:
    """Guess the content type from the file's name."""
    suffix = path.suffix.lower()
    return _TYPES.get(suffix) or mimetypes.guess_type(f"file{suffix}")[0] or BINARY


def _read(path: Path) -> bytes:
    if path == STDIN:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _json(text: str) -> bytes:
    try:
        json.loads(text)
    except ValueError as error:
        raise InputError(f"--json {text!r} is not JSON ({error}): quote it as '{{\"n\": 1}}'") from error
    return text.encode()


def _pair(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InputError(f"{option} {text!r}: write NAME=VALUE")
    return name, value


def _field(text: str) -> tuple[str, tuple[Any, ...]]:
    """Parse NAME=VALUE, or NAME=@PATH for a file, into one part of a multipart form."""
    name, value = _pair(text, "--form")
    if not value.startswith("@"):
        return name, (None, value.encode())
    path = Path(value[1:])
    return name, (path.name, _read(path), guess(path))
