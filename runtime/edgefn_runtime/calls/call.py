"""One request inside the box: its contents, where it is, and when it got there."""

from __future__ import annotations

import asyncio
import hashlib
import math
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from edgefn_runtime.wire.messages import Answer, Crash, Reply, Unacceptable

LATE_S = 0.05
_MARKED_BYTES = 1 << 16

Body = bytes | list[bytes]
"""A request's body, or its pieces in order."""


class Outcome(NamedTuple):
    """What an instance replied to a call, and the reply's body."""

    reply: Reply
    body: bytes


class Holder(Protocol):
    """The instance that holds a call, as far as the call's timeout acts on it."""

    @property
    def pid(self) -> int: ...
    @property
    def stopped(self) -> bool: ...
    @property
    def stuck(self) -> bool: ...

    def has_begun(self, call: Call) -> bool: ...
    def deaf(self, for_s: float = 0.0) -> bool: ...
    def revoke(self) -> None: ...
    def take_back(self) -> list[Call]: ...
    def retire(self) -> None: ...
    def kill(self) -> None: ...


class Call:
    """Made by the gateway, answered through `future`: an Outcome, or an error of edgefn.errors.

    Times are on the clock of time.monotonic(), in seconds; 0 until they happen. `cold` is true when no instance was
    ready when the call came: it waited for a start, from `admitted` to `started`. The instance gives the call its
    `number`, the queue its `ticket`. `timeout_s` is the caller's own bound; it may shorten the function's timeout and
    never lengthens it. `compares` is true for a question about the handler's answers, which no client asked. `on_late`,
    when set, is called once the call has taken LATE_S: only then it is worth watching its client.
    """

    __slots__ = (
        "accept",
        "admitted",
        "body",
        "cold",
        "compares",
        "content_type",
        "deadline",
        "encoding",
        "future",
        "instance",
        "number",
        "on_late",
        "query",
        "retried",
        "sent",
        "started",
        "ticket",
        "timeout_s",
        "timer",
    )

    def __init__(
        self,
        content_type: str,
        query: str,
        accept: str,
        body: Body,
        timeout_s: float = math.inf,
        *,
        encoding: str = "",
    ) -> None:
        self.content_type = content_type
        self.query = query
        self.accept = accept
        self.body = body
        self.timeout_s = timeout_s
        self.encoding = encoding
        self.future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.instance: Holder | None = None
        self.number = self.ticket = 0
        self.timer: asyncio.TimerHandle | None = None
        self.on_late: Callable[[], None] | None = None
        self.cold = self.retried = self.compares = False
        self.admitted = self.deadline = 0.0
        self.started = 0.0
        self.sent = 0.0

    def succeed(self, outcome: Outcome) -> None:
        """Give the caller the answer; do nothing when the caller has gone."""
        self._stop_timer()
        if not self.future.done():
            self.future.set_result(outcome)

    def fail(self, error: Exception) -> None:
        """Give the caller an error instead of an answer; do nothing when the caller has gone."""
        self._stop_timer()
        if not self.future.done():
            self.future.set_exception(error)

    def mark(self) -> bytes:
        """Return a mark that distinguishes requests by their contents.

        It is made of the headers and of the body's size and beginning.
        """
        pieces = self.body if isinstance(self.body, list) else [self.body]
        told = "\0".join((self.content_type, self.encoding, self.query, str(sum(map(len, pieces))), ""))
        mark = hashlib.blake2b(told.encode("utf-8", "replace"), digest_size=16)
        left = _MARKED_BYTES
        for piece in pieces:
            mark.update(piece[:left])
            left -= len(piece)
            if left <= 0:
                break
        return mark.digest()

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def server_timing(self, outcome: Outcome) -> str:
        """Return the Server-Timing header (W3C) as of now, in ms.

        `queue` is the time that the other phases do not explain.
        """
        reply = outcome.reply
        start = max(0.0, self.started - self.admitted) if self.cold else 0.0
        run = encode = 0.0
        if isinstance(reply, Answer):
            run, encode = reply.run_s, reply.encode_s
        elif isinstance(reply, Unacceptable | Crash):
            run = reply.run_s
        queue = time.monotonic() - self.admitted - start - reply.decode_s - run - encode
        return (
            f"queue;dur={queue * 1e3:.2f}, start;dur={start * 1e3:.2f};desc={'cold' if self.cold else 'warm'}, "
            f"decode;dur={reply.decode_s * 1e3:.2f}, run;dur={run * 1e3:.2f}, encode;dur={encode * 1e3:.2f}"
        )


def work_s(reply: Reply) -> float:
    """Return the seconds that the instance worked on the call."""
    match reply:
        case Answer():
            return reply.decode_s + reply.run_s + reply.encode_s
        case Unacceptable() | Crash():
            return reply.decode_s + reply.run_s
        case _:
            return reply.decode_s
