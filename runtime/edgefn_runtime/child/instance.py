"""The serving process: requests in from its channel, replies out, until the box closes the channel.

With `concurrency=1` it is a plain blocking loop, the shortest way possible; above that see `together`. A call is
entered on the board before the handler sees it, in the order of the call numbers. A call that was revoked, or whose
deadline has passed, goes back unseen.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time

from edgefn_runtime.child.channel import Channel, flush_logs
from edgefn_runtime.child.leak_detector import Watch
from edgefn_runtime.child.serving import Service
from edgefn_runtime.wire.messages import Leaving, Returned

_SHORT_S = 0.0002
"""A reply waits for the next call's only where calls are shorter than this."""


def serve(channel: Channel, service: Service, concurrency: int, memory_bytes: int) -> None:
    """Serve until the box closes the channel.

    When a handler has leaked nearly all of `memory_bytes`, ask the box to close it.
    """
    watch = Watch(memory_bytes)
    with contextlib.suppress(OSError):  # the box is gone: nobody is left to tell
        if concurrency == 1:
            _serve_one_by_one(channel, service, watch)
        else:
            from edgefn_runtime.child.together import serve_together  # loaded with the function, where it needs it

            serve_together(channel, service, concurrency, watch)


def _serve_one_by_one(channel: Channel, service: Service, watch: Watch) -> None:
    while (received := channel.receive()) is not None:
        invoke, started = received[0], time.monotonic()
        if not watch.full and channel.admits(invoke):
            reply = service.call(*received)
            del received  # with the body: what a caller has sent is no leak of the handler's
            for found in service.wrong():
                channel.gather(found)
            if watch.full_after(time.monotonic() - started):
                channel.gather(Leaving())  # before the answer: who gets that may send the next call at once
            channel.gather(*reply)
        else:
            channel.gather(Returned(invoke.id))
        if not channel.more or time.monotonic() - started > _SHORT_S:
            flush_logs()
            channel.flush()


def fresh_randomness() -> None:
    """Seed NumPy's generator anew, so that forks of one process do not draw the same random numbers."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(int.from_bytes(os.urandom(4), "little"))
