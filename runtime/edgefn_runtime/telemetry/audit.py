"""The record of changes and incidents on this box: one JSON object a line, on disk and in the box's log (the journal).

`change` is for what only a token's holder can cause, `incident` for what anybody can: each has files of its own, so
that no flood of wrong tokens rotates a deployment away. Wrong tokens are summed up by address and minute. A record is
written when its event is over, to the page cache: the database has what the box serves, so a power cut may take some
records. It must never fail or delay the events that it records.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextvars import ContextVar
from datetime import UTC, datetime
from operator import itemgetter
from pathlib import Path

import msgspec

from edgefn.api.audit import AuditRecord
from edgefn_runtime.telemetry.buffer import BufferedLog
from edgefn_runtime.telemetry.follower import Follower
from edgefn_runtime.telemetry.logfile import ROTATE_BYTES, LogFile
from edgefn_runtime.telemetry.record import printable

MAX_TEXT = 1000
"""Characters of a member; a trace is in the function's log."""

WINDOW_S = 60.0
MAX_ADDRESSES = 64
"""Addresses with a record of their own in a window; further ones share one record."""

_log = logging.getLogger("edgefn.audit")


class Actor(msgspec.Struct, frozen=True):
    """The actor of a change: a token's name, and the address that its request came from; the box itself by default."""

    name: str = "box"
    address: str = ""


_BOX = Actor()
ACTOR: ContextVar[Actor] = ContextVar("actor", default=_BOX)
"""Who the code at work acts for; the admin API sets it for each request."""


class AuditLog:
    """The audit log in `folder`, which exists. All methods belong to the thread of the event loop."""

    def __init__(
        self, folder: Path, *, clock: Callable[[], float] = time.time, rotate_bytes: int = ROTATE_BYTES
    ) -> None:
        self.dropped = 0
        self._clock = clock
        self._changes, self._incidents = (
            BufferedLog(LogFile(folder / name, rotate_bytes=rotate_bytes), self._lost, prompt=True)
            for name in ("audit.jsonl", "incidents.jsonl")
        )
        self._attempts: Counter[str] = Counter()
        self._window: asyncio.TimerHandle | None = None
        self._ended = False

    def change(self, action: str, **members: str) -> None:
        """Write a record of a change by the current actor.

        Members, where given: `function`, `before`, `after` (digests), `result`, `detail`.
        """
        self._write(self._changes, action, ACTOR.get(), members)

    def incident(self, action: str, **members: str) -> None:
        """Write a record of an event that needed no token; see `change`."""
        self._write(self._incidents, action, ACTOR.get(), members)

    def wrong_token(self, address: str) -> None:
        """Record a request with a wrong token: the first of an address at once, the rest after WINDOW_S."""
        if address not in self._attempts and len(self._attempts) < MAX_ADDRESSES:
            self._attempts[address] = 0
            self._write(self._incidents, "wrong token", Actor("", address), {"result": "refused"})
        else:
            self._attempts[address if address in self._attempts else ""] += 1
        if self._window is None:
            self._window = asyncio.get_running_loop().call_later(WINDOW_S, self._sum_up)

    def _sum_up(self) -> None:
        self._window = None
        attempts, self._attempts = self._attempts, Counter()
        for address, count in attempts.items():
            if count:
                told = {"result": "refused", "detail": f"{count} more within {WINDOW_S:.0f} s"}
                self._write(self._incidents, "wrong token", Actor("", address or "other addresses"), told)

    def tail(self, lines: int) -> list[str]:
        """Return the last `lines` records, oldest first.

        Records of one file stay in the order in which they were written, whatever the clock did.
        """
        found = [_timed(log.file.tail(lines)) for log in (self._changes, self._incidents)]
        return [_readable(line) for _, line in heapq.merge(*found, key=itemgetter(0))][-lines:] if lines else []

    async def follow(self, lines: int) -> AsyncGenerator[str, None]:
        """Yield the last `lines` records and then each new one, until the box drains."""
        follower = Follower()
        for log in (self._changes, self._incidents):
            log.followers.add(follower)
        if self._ended:
            follower.end()
        try:
            for text in self.tail(lines):
                yield text
            async for text in follower:
                yield _readable(text)
        finally:
            for log in (self._changes, self._incidents):
                log.followers.discard(follower)

    def end_followers(self) -> None:
        """End every follower after its waiting records: the box drains."""
        self._ended = True
        for log in (self._changes, self._incidents):
            log.end_followers()

    def close(self) -> None:
        """Write the waiting records, and cancel the timer."""
        if self._window is not None:
            self._window.cancel()
            self._sum_up()
        self.end_followers()

    def _write(self, log: BufferedLog, action: str, actor: Actor, members: dict[str, str]) -> None:
        at = datetime.fromtimestamp(self._clock(), UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        short = {name: _short(value) for name, value in members.items()}
        record = AuditRecord(at=at, who=_short(actor.name), address=_short(actor.address), action=action, **short)
        log.add(json.dumps(msgspec.to_builtins(record), ensure_ascii=True))
        _log.info("%s", _told(record))

    def _lost(self, records: int) -> None:
        self.dropped += records


def _short(value: str) -> str:
    return printable(value.replace("\n", " ")[:MAX_TEXT])


def _told(record: AuditRecord) -> str:
    """Return the record as a line of the journal."""
    who = f"{record.who or 'nobody'} at {record.address}" if record.address else record.who
    moved = f"{record.before or 'nothing'} -> {record.after or 'nothing'}" if record.before or record.after else ""
    return ", ".join(filter(None, [record.action, record.function, f"by {who}", moved, record.result, record.detail]))


def _readable(line: str) -> str:
    """Return the line; one that is no record, torn by a power cut or a follower's remark, as the detail of one."""
    try:
        msgspec.json.decode(line, type=AuditRecord)
    except msgspec.MsgspecError:
        return msgspec.json.encode(AuditRecord(detail=line)).decode()
    return line


def _timed(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each line with its time.

    Where the clock was set back, that is an earlier line's time until the clock has reached it.
    """
    latest = ""
    for line in lines:
        latest = max(latest, _moment(line))
        yield latest, line


def _moment(line: str) -> str:
    """Return when a record was written; "" for a line that is none, torn by a power cut."""
    try:
        return msgspec.json.decode(line, type=AuditRecord).at
    except msgspec.MsgspecError:
        return ""
