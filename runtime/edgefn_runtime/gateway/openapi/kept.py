"""The document as bytes, kept as long as the same revisions serve: it is read far more often than it changes.

Making it takes milliseconds a function, so each function's part is made once for a revision, in a turn of the event
loop of its own. Only the box's address is put in for each reader.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from edgefn_runtime.gateway.openapi import admin_paths
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
        self._turn = asyncio.Lock()

    async def body(self, functions: Sequence[DocumentedFunction], url: str) -> bytes:
        """Return the document of `functions`, reached at `url`, as JSON."""
        async with self._turn:
            await self._make({(one.spec.name, one.number, one.digest): one for one in functions})
            before, behind = self._around
            return before + msgspec.json.encode(url) + behind

    async def _make(self, functions: dict[_Key, DocumentedFunction]) -> None:
        if self._around[0] and list(functions) == list(self._parts):
            return
        parts: dict[_Key, Part] = {}
        for key, function in functions.items():
            if (known := self._parts.get(key)) is None:
                known = part(function)
                await asyncio.sleep(0)
            parts[key] = known
        await asyncio.to_thread(admin_paths.described)
        made = msgspec.json.encode(document(parts.values(), self._version, _URL, asks_callers=self._asks_callers))
        before, _, behind = made.partition(msgspec.json.encode(_URL))
        self._parts, self._around = parts, (before, behind)
