"""The box's ends of the socketpairs to its children, and what comes first on them: who is there.

A child's pid is never taken from what it says: the kernel sends its credentials along (SO_PASSCRED, unix(7)).
"""

from __future__ import annotations

import array
import asyncio
import contextlib
import mmap
import os
import socket
import struct
from collections.abc import Callable, Sequence

from edgefn_runtime.supervisor.launch import pair
from edgefn_runtime.wire import messages
from edgefn_runtime.wire.board import SIZE, Board

_UCRED = struct.Struct("iII")
_MAX_REPORT_BYTES = 1 << 18


def control_pair() -> tuple[socket.socket, socket.socket]:
    """(the box's end, the child's end) of a control socket: one packet a message."""
    return pair(socket.SOCK_SEQPACKET)


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """(the box's end, the child's end) of a channel: a stream of frames."""
    return pair(socket.SOCK_STREAM)


def shared_board() -> tuple[Board, int]:
    """An instance's board, and the descriptor of its memory for the instance; the caller closes that."""
    descriptor = os.memfd_create("edgefn-board", os.MFD_CLOEXEC)
    os.truncate(descriptor, SIZE)
    return Board(memoryview(mmap.mmap(descriptor, SIZE))), descriptor


def receive_with_pid(end: socket.socket, size: int) -> tuple[bytes, int]:
    """The next bytes and the pid of their sender (0 when the kernel gave none). Raises BlockingIOError."""
    data, ancillary, _, _ = end.recvmsg(size, socket.CMSG_SPACE(_UCRED.size))
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return data, int(_UCRED.unpack(payload)[0])
    return data, 0


class ControlEnd:
    """The box's end of a control socket: orders out, reports in by callback, `on_close` at the end of the child."""

    def __init__(
        self,
        end: socket.socket,
        on_report: Callable[[messages.Report, int], None],
        on_close: Callable[[], None],
    ) -> None:
        self._socket = end
        self._on_report = on_report
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end, self._readable)

    def order(self, order: messages.Order, descriptors: Sequence[int]) -> None:
        """Sends an order with its descriptors; raises OSError when the child is gone or does not read."""
        self._socket.sendmsg(
            [messages.encode(order)],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))],
        )

    def close(self) -> None:
        """The child reads the end of orders and leaves."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def _readable(self) -> None:
        try:
            data, pid = receive_with_pid(self._socket, _MAX_REPORT_BYTES)
            report = messages.decode_report(data) if data else None
        except BlockingIOError:
            return
        except (OSError, *messages.MALFORMED):
            report = None
        if report is None:
            self.close()
            self._on_close()
        else:
            self._on_report(report, pid)


class LogPipe:
    """What a child writes to its stdout and stderr, line by line, to `write`; it closes with the last child."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._rest = b""
        self._reader, self.child_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._reader, self._readable)

    def handed_over(self) -> None:
        """The child has its copy of the write end; the box gives up its own."""
        os.close(self.child_end)

    def _readable(self) -> None:
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._reader, 1 << 16)
            if not data:
                self._loop.remove_reader(self._reader)
                os.close(self._reader)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if self._rest and (not data or len(self._rest) > 1 << 16):
            lines.append(self._rest)
            self._rest = b""
        for line in lines:
            self._write(line.decode("utf-8", "backslashreplace"))
