"""The child's end of a control socket: orders with descriptors in, reports out. Blocking; no event loop here."""

from __future__ import annotations

import array
import select
import socket

from edgefn_runtime.wire import messages

MAX_ORDER_BYTES = 1 << 18
_MAX_DESCRIPTORS = 8


class Control:
    """Orders come in one packet each (SOCK_SEQPACKET), with the descriptors they need."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)

    def fileno(self) -> int:
        return self._socket.fileno()

    def waits(self, seconds: float) -> bool:
        """Tell whether an order comes, or the box goes, within `seconds`."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    def has_gone(self) -> bool:
        """Tell whether the box has closed its end."""
        waiting = select.poll()
        waiting.register(self._socket, 0)
        return bool(waiting.poll(0))

    def receive(self) -> tuple[messages.Order, list[int]] | None:
        """Return the next order and its descriptors, or None when the box has closed its end."""
        data, ancillary, _, _ = self._socket.recvmsg(
            MAX_ORDER_BYTES, socket.CMSG_SPACE(_MAX_DESCRIPTORS * array.array("i").itemsize)
        )
        if not data:
            return None
        descriptors = array.array("i")
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors.frombytes(payload[: len(payload) - len(payload) % descriptors.itemsize])
        return messages.decode_order(data), list(descriptors)

    def report(self, report: messages.Report) -> None:
        """Send a report; the kernel adds this process's credentials where the box asked for them."""
        self._socket.send(messages.encode(report))

    def reaches(self, report: messages.Report) -> bool:
        """Send a report; return False where the box has gone or has closed the other end."""
        try:
            self.report(report)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()
