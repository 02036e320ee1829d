"""The answer to a call: status, headers and body as a client gets them, and the exception behind an error."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgefn.codec.media_types import media_type


@dataclass(frozen=True)
class HttpAnswer:
    """An answer. Header names are in lower case.

    `error` is the exception that ended the call: the handler's own behind a 500, an InputError behind a 400. A test may
    look at it; no client of a box gets it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    error: BaseException | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        """Tell whether the function answered with a result."""
        return self.status == 200

    @property
    def media_type(self) -> str:
        """Return the body's media type without parameters, e.g. "application/json"."""
        return media_type(self.headers.get("content-type", "")).name

    @property
    def text(self) -> str:
        """Return the body as text. Raise UnicodeDecodeError where it is not UTF-8."""
        return self.body.decode()

    def json(self) -> Any:
        """Return the body as JSON, a problem's members too. Raise ValueError for another media type."""
        if not media_type(self.headers.get("content-type", "")).is_json:
            raise ValueError(f"the answer is {self.media_type}, not JSON: read its .body, or ask for another `accept`")
        return json.loads(self.body)

    def raise_for_status(self) -> HttpAnswer:
        """Return this answer. Raise the exception that ended the call, if one did."""
        if self.error is not None:
            raise self.error
        return self
