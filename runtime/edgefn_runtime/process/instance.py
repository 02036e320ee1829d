"""The serving process: requests in from its channel, replies out, until the box closes the channel.

With `concurrency=1` it is a plain blocking loop, the shortest way there is. Above that, an `async` handler runs as
tasks on one event loop and a plain one in as many threads. A call is entered on the board before the handler sees it,
in the order of their numbers; one that was revoked, or whose deadline has passed, goes back unseen.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from edgefn_runtime.process.channel import Channel
from edgefn_runtime.process.growth import LONG_S, Watch
from edgefn_runtime.process.serving import Service
from edgefn_runtime.wire.messages import Invoke, Leaving, Returned

_SHORT_S = 0.0002
"""A reply waits for the next call's only where calls are shorter than this."""


def serve(channel: Channel, service: Service, concurrency: int, memory_bytes: int) -> None:
    """Serves until the box closes the channel; asks it to when a handler has leaked nearly all of `memory_bytes`."""
    watch = Watch(memory_bytes)
    with contextlib.suppress(OSError):  # the box is gone: nobody is left to tell
        if concurrency == 1:
            _serve_one_by_one(channel, service, watch)
        elif service.is_async:
            asyncio.run(_serve_tasks(channel, service, watch))
        else:
            _serve_threads(channel, service, concurrency, watch)


def _serve_one_by_one(channel: Channel, service: Service, watch: Watch) -> None:
    while (received := channel.receive()) is not None:
        invoke, body = received
        started = time.monotonic()
        if _to_be_served(channel, invoke):
            reply = service.call(invoke, body)
            if watch.full_after(time.monotonic() - started):
                channel.gather(Leaving())  # before the answer: who gets that may send the next call at once
            channel.gather(*reply)
        else:
            channel.gather(Returned(invoke.id))
        if not channel.more or time.monotonic() - started > _SHORT_S:
            _flush_logs()
            channel.flush()


def _serve_threads(channel: Channel, service: Service, concurrency: int, watch: Watch) -> None:
    crowd = service.crowd

    def call(invoke: Invoke, body: bytes) -> None:
        try:
            reply = service.call(invoke, body)
            if watch.full_after(LONG_S):
                channel.send(Leaving())
            channel.send(*reply)
        finally:
            crowd.went()
        for found in crowd.news():
            channel.send(found)
        _flush_logs()

    with ThreadPoolExecutor(concurrency, thread_name_prefix="handler") as threads:
        while (received := channel.receive()) is not None:
            if _to_be_served(channel, received[0]):
                crowd.came()
                threads.submit(call, *received)
            else:
                channel.send(Returned(received[0].id))


async def _serve_tasks(channel: Channel, service: Service, watch: Watch) -> None:
    async def call(invoke: Invoke, body: bytes) -> None:
        reply = await service.call_async(invoke, body)
        if watch.full_after(LONG_S):
            channel.send(Leaving())
        channel.send(*reply)
        _flush_logs()

    tasks: set[asyncio.Task[None]] = set()
    while (received := await asyncio.to_thread(channel.receive)) is not None:
        if not _to_be_served(channel, received[0]):
            channel.send(Returned(received[0].id))
            continue
        task = asyncio.create_task(call(*received))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _to_be_served(channel: Channel, invoke: Invoke) -> bool:
    """Enters the call; False when the box has taken it back or nobody waits for it any more."""
    return channel.board.enter(invoke.id) and time.monotonic() < invoke.deadline


def _flush_logs() -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()


def fresh_randomness() -> None:
    """This process draws other random numbers than its siblings, which share its memory as of the fork."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(int.from_bytes(os.urandom(4), "little"))
