"""The box's ends of the socketpairs to its children, and how the box learns which child is at the other end.

A child's pid is never taken from its own words: the kernel sends its credentials along (SO_PASSCRED, unix(7)).
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import math
import mmap
import os
import socket
import struct
from collections.abc import Callable, Sequence

from edgefn.errors import DeploymentRefused
from edgefn_runtime.wire import messages
from edgefn_runtime.wire.call_board import SIZE, Board
from edgefn_runtime.workers.launch import pair

_UCRED = struct.Struct("iII")
MAX_ORDER_BYTES = 1 << 18
_MAX_REPORT_BYTES = 1 << 18
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def control_pair() -> tuple[socket.socket, socket.socket]:
    """Make a control socket, (the box's end, the child's end): one packet a message."""
    return pair(socket.SOCK_SEQPACKET)


def channel_pair() -> tuple[socket.socket, socket.socket]:
    """Make a channel, (the box's end, the child's end): a stream of frames."""
    return pair(socket.SOCK_STREAM)


def shared_board() -> tuple[Board, int]:
    """Make an instance's board, and the descriptor of its memory for the instance; the caller closes that.

    Its size is sealed: a page that an instance cut off would end the box with SIGBUS as the box reads it.
    """
    descriptor = os.memfd_create("edgefn-board", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.truncate(descriptor, SIZE)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
        return Board(memoryview(mmap.mmap(descriptor, SIZE))), descriptor
    except BaseException:
        os.close(descriptor)
        raise


def receive_with_pid(end: socket.socket, size: int) -> tuple[bytes, int]:
    """Receive the next bytes and the pid of their sender (0 when the kernel gave none).

    Raises BlockingIOError.
    """
    data, ancillary, _, _ = end.recvmsg(size, socket.CMSG_SPACE(_UCRED.size))
    for level, kind, payload in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            return data, int(_UCRED.unpack(payload)[0])
    return data, 0


class ControlEnd:
    """The box's end of a control socket: orders out, reports in by callback, `on_close` at the end of the child.

    Where the child runs a user's code, it may send at most `reports`; one that sends more is treated as ended.
    """

    def __init__(
        self,
        end: socket.socket,
        on_report: Callable[[messages.Report, int], None],
        on_close: Callable[[], None],
        reports: float = math.inf,
    ) -> None:
        self._socket = end
        self._reports = reports
        self._on_report = on_report
        self._on_close = on_close
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end, self._readable)

    def order(self, order: messages.Order, descriptors: Sequence[int]) -> None:
        """Send an order with its descriptors.

        Raises OSError when the child is gone or does not read, and DeploymentRefused for an order that is too large for
        a packet: the child would not survive a cut one.
        """
        packet = messages.encode(order)
        if len(packet) > MAX_ORDER_BYTES:
            raise DeploymentRefused(
                f"the description of its models has {len(packet)} bytes, over the limit of {MAX_ORDER_BYTES}: build "
                "it with fewer models, or with fewer inputs and outputs"
            )
        self._socket.sendmsg(
            [packet],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))],
        )

    def close(self) -> None:
        """Close the socket; the child then reads the end of orders, and ends."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket)
            self._socket.close()

    def ended(self) -> None:
        """Read the last reports of a child that has ended, and close.

        Other processes may still hold its end of the socket.
        """
        while self._socket.fileno() >= 0 and self._readable():
            pass
        if self._socket.fileno() >= 0:
            self.close()
            self._on_close()

    def _readable(self) -> bool:
        """Read a report, or the end; tell whether there was any."""
        try:
            data, pid = receive_with_pid(self._socket, _MAX_REPORT_BYTES)
            report = messages.decode_report(data) if data else None
        except BlockingIOError:
            return False
        except (OSError, *messages.MALFORMED):
            report = None
        self._reports -= 1
        if report is None or self._reports < 0:
            self.close()
            self._on_close()
        else:
            self._on_report(report, pid)
        return True
