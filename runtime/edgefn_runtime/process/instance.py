"""The serving process: frames in from its channel, replies out, until the box closes the channel.

With `concurrency=1` it is a plain blocking loop, the shortest way there is. Above that, an `async` handler runs as
tasks on one event loop and a plain one in as many threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

from edgefn_runtime.process.serving import Service
from edgefn_runtime.wire.frames import PREFIX, Frame, FrameError, encode_frame
from edgefn_runtime.wire.messages import Born, Failed, Invoke, Ready, Reply, decode_invoke, encode


class Channel:
    """The instance's end of the socketpair. Reading is one thread's; writing is safe from several."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._reader = self._socket.makefile("rb", buffering=1 << 16)
        self._writing = threading.Lock()

    def receive(self) -> tuple[Invoke, bytes] | None:
        """The next request, or None when the box has closed its end."""
        frame = self._frame()
        return None if frame is None else (decode_invoke(frame.header), frame.body)

    def send(self, message: Reply | Born | Ready | Failed, body: bytes | memoryview = b"") -> None:
        """Writes a whole frame; raises OSError when the box is gone."""
        with self._writing:
            for piece in encode_frame(encode(message), body):
                self._socket.sendall(piece)

    def _frame(self) -> Frame | None:
        prefix = self._reader.read(PREFIX.size)
        if len(prefix) < PREFIX.size:
            return None
        header, body = PREFIX.unpack(prefix)  # the box is trusted: it has checked the sizes already
        frame = Frame(self._reader.read(header), self._reader.read(body) if body else b"")
        if len(frame.header) < header or len(frame.body) < body:
            raise FrameError("the box closed the channel in the middle of a frame")
        return frame


def serve(channel: Channel, service: Service, concurrency: int) -> None:
    """Serves until the box closes the channel."""
    with contextlib.suppress(OSError, FrameError):  # the box is gone: nobody is left to tell
        if concurrency == 1:
            _serve_one_by_one(channel, service)
        elif service.is_async:
            asyncio.run(_serve_tasks(channel, service))
        else:
            _serve_threads(channel, service, concurrency)


def _serve_one_by_one(channel: Channel, service: Service) -> None:
    while (received := channel.receive()) is not None:
        channel.send(*service.call(*received))
        _flush_logs()


def _serve_threads(channel: Channel, service: Service, concurrency: int) -> None:
    def call(invoke: Invoke, body: bytes) -> None:
        channel.send(*service.call(invoke, body))
        _flush_logs()

    with ThreadPoolExecutor(concurrency, thread_name_prefix="handler") as threads:
        while (received := channel.receive()) is not None:
            threads.submit(call, *received)


async def _serve_tasks(channel: Channel, service: Service) -> None:
    async def call(invoke: Invoke, body: bytes) -> None:
        channel.send(*await service.call_async(invoke, body))
        _flush_logs()

    tasks: set[asyncio.Task[None]] = set()
    while (received := await asyncio.to_thread(channel.receive)) is not None:
        task = asyncio.create_task(call(*received))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


def _flush_logs() -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()


def fresh_randomness() -> None:
    """This process draws other random numbers than its siblings, which share its memory as of the fork."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed(int.from_bytes(os.urandom(4), "little"))
