"""Concurrent calls in one instance: of an `async` handler as tasks on one event loop, of a plain one in threads.

Imported only for functions that need it, when they are loaded: asyncio and the like are 3 MB that each fork of the
zygote would carry.
"""

from __future__ import annotations

import asyncio
import contextlib
from concurrent.futures import ThreadPoolExecutor

from edgefn_runtime.child.channel import Body, Channel, flush_logs
from edgefn_runtime.child.leak_detector import LONG_S, Watch
from edgefn_runtime.child.serving import Service
from edgefn_runtime.wire.messages import Asked, Leaving, Returned


def serve_together(channel: Channel, service: Service, concurrency: int, watch: Watch) -> None:
    """Serve up to `concurrency` calls at a time, until the box closes the channel."""
    if service.is_async:
        asyncio.run(_serve_tasks(channel, service, watch))
    else:
        _serve_threads(channel, service, concurrency, watch)


def _serve_threads(channel: Channel, service: Service, concurrency: int, watch: Watch) -> None:
    crowd = service.crowd

    def call(invoke: Asked, body: Body) -> None:
        try:
            reply = service.call(invoke, body)
            for wrong in service.wrong():
                channel.send(wrong)
            if watch.full_after(LONG_S):
                channel.send(Leaving())
            channel.send(*reply)
        finally:
            crowd.went()
        for found in crowd.news():
            channel.send(found)
        flush_logs()

    with ThreadPoolExecutor(concurrency, thread_name_prefix="handler") as threads:
        while (received := channel.receive()) is not None:
            full = watch.full
            if not full and channel.admits(received[0]):
                crowd.came()
                threads.submit(call, *received)
                continue
            if full:  # the thread that found it may not have said so yet, and a call comes back only after that
                channel.send(Leaving())
            channel.send(Returned(received[0].id))


async def _serve_tasks(channel: Channel, service: Service, watch: Watch) -> None:
    async def call(invoke: Asked, body: Body) -> None:
        reply = await service.call_async(invoke, body)
        with contextlib.suppress(OSError):  # the box is gone, and this was cancelled with the loop
            for wrong in service.wrong():
                channel.send(wrong)
            if watch.full_after(LONG_S):
                channel.send(Leaving())
            channel.send(*reply)
        flush_logs()

    tasks: set[asyncio.Task[None]] = set()
    while (received := await asyncio.to_thread(channel.receive)) is not None:
        if watch.full or not channel.admits(received[0]):
            channel.send(Returned(received[0].id))
            continue
        task = asyncio.create_task(call(*received))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
