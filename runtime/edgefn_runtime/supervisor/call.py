"""One request on its way through the box: what was asked, where it is, and when it got there."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from edgefn_runtime.wire.messages import Answer, Crash, Reply

if TYPE_CHECKING:
    from edgefn_runtime.supervisor.instance import Instance


class Outcome(NamedTuple):
    """What an instance replied to a call, and the reply's body."""

    reply: Reply
    body: bytes


class Call:
    """Made by the gateway, answered through `future`: an Outcome, or an error of edgefn.errors.

    Times are on the event loop's clock, in seconds; 0 until they happen. `cold` is true when no instance was
    ready as it came: it waited for a start, from `admitted` to `started`.
    """

    __slots__ = (
        "accept",
        "admitted",
        "body",
        "cold",
        "content_type",
        "future",
        "instance",
        "query",
        "sent",
        "started",
        "timer",
    )

    def __init__(self, content_type: str, query: str, accept: str, body: bytes) -> None:
        self.content_type = content_type
        self.query = query
        self.accept = accept
        self.body = body
        self.future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self.instance: Instance | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.cold = False
        self.admitted = 0.0
        self.started = 0.0
        self.sent = 0.0

    def succeed(self, outcome: Outcome) -> None:
        """The answer is there; nothing when the caller has gone."""
        self._stop_timer()
        if not self.future.done():
            self.future.set_result(outcome)

    def fail(self, error: Exception) -> None:
        """It will not be answered; nothing when the caller has gone."""
        self._stop_timer()
        if not self.future.done():
            self.future.set_exception(error)

    def _stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()

    def server_timing(self, outcome: Outcome) -> str:
        """The Server-Timing header (W3C): queue, start, decode, run, encode in milliseconds; `cold` or `warm`."""
        reply = outcome.reply
        start = max(0.0, self.started - self.admitted) if self.cold else 0.0
        queue = self.sent - self.admitted - start
        run = reply.run_s if isinstance(reply, Answer | Crash) else 0.0
        encode = reply.encode_s if isinstance(reply, Answer) else 0.0
        return (
            f"queue;dur={queue * 1e3:.2f}, start;dur={start * 1e3:.2f};desc={'cold' if self.cold else 'warm'}, "
            f"decode;dur={reply.decode_s * 1e3:.2f}, run;dur={run * 1e3:.2f}, encode;dur={encode * 1e3:.2f}"
        )
