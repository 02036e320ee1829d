"""The document as bytes, kept as long as the same revisions serve: it is read far more often than it changes.

Making it holds up the event loop for milliseconds a function, so each function's part is made once for a revision. Only
the box's address is put in for each reader.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from edgefn_runtime.gateway.openapi.document import Part, document, part
from edgefn_runtime.gateway.openapi.operations import DocumentedFunction

_Key = tuple[str, int, str]
_URL = "\0the box's address\0"


class KeptDocument:
    """The document of a box of edgefn `version`."""

    def __init__(self, version: str, *, asks_callers: bool = False) -> None:
        self._version = version
        self._asks_callers = asks_callers
        self._parts: dict[_Key, Part] = {}
        self._around = (b"", b"")

    def body(self, functions: Sequence[DocumentedFunction], url: str) -> bytes:
        """Return the document of `functions`, reached at `url`, as JSON."""
        keys = [(one.spec.name, one.number, one.digest) for one in functions]
        if not self._around[0] or keys != list(self._parts):
            self._parts = {key: self._parts.get(key) or part(one) for key, one in zip(keys, functions, strict=True)}
            made = msgspec.json.encode(
                document(self._parts.values(), self._version, _URL, asks_callers=self._asks_callers)
            )
            before, _, behind = made.partition(msgspec.json.encode(_URL))
            self._around = (before, behind)
        before, behind = self._around
        return before + msgspec.json.encode(url) + behind
