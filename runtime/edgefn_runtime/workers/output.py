"""The output of functions on its way to their logs, within budgets of each function and of each turn of the event loop.

A function that prints in a loop must not delay the answers of others. What exceeds its budget is read and dropped, a
full pipe at a time and with a pause between, so that it waits at its own pipe; how much was dropped is counted, and
noted in its log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable

from edgefn.api.functions import OutputFigures
from edgefn_runtime.scheduling.allowance import Allowance

RATE, BURST = 1_000.0, 4_000.0
"""Lines a second that a function may print, and after a rest. Each costs the box some 5 µs: 0.5 % of a core."""

LINE_BYTES = 512
"""A line counts once more for each of these bytes."""

TURN_LINES = 128
"""Lines of all functions in one turn of the event loop: some 0.6 ms."""

READ_RATE, READ_BURST = 500.0, 500.0
"""Reads of a function's output a second. Single bytes collect in its pipe and are read together."""

PAUSE_S = 0.02
"""The pause before the next read of a pipe whose function is over its budget."""

TOLD_S = 1.0
MAX_REST_BYTES = 1 << 16
_READ_BYTES = 1 << 16


class Turn:
    """The lines that may still be taken in this turn of the event loop."""

    def __init__(self) -> None:
        self._left = TURN_LINES
        self._is_used = False

    def take(self) -> bool:
        """Take one line from this turn's budget; return False where none is left before the next turn."""
        if not self._is_used:
            self._is_used = True
            asyncio.get_running_loop().call_soon(self._renew)
        self._left -= 1
        return self._left >= 0

    def _renew(self) -> None:
        self._left, self._is_used = TURN_LINES, False


class Output:
    """The lines of one function, from all its processes. `log` takes a line, `note` the box's remark on dropped lines.

    `dropped_lines` and `dropped_bytes` count all that was ever over the budget.
    """

    def __init__(self, log: Callable[[str], None], note: Callable[[str], None], turn: Turn) -> None:
        self.turn = turn
        self.dropped_lines = self.dropped_bytes = 0
        self._log = log
        self._note = note
        self._allowance = Allowance(RATE, BURST)
        self._reads = Allowance(READ_RATE, READ_BURST)
        self._untold = (0, 0)
        self._telling: asyncio.TimerHandle | None = None

    def may_read(self) -> bool:
        """Tell whether a pipe of the function may be read again at once."""
        return self._reads.use(1, time.monotonic())

    def write(self, line: bytes) -> bool:
        """Log a line; return False where the function is over its budget."""
        if not self._allowance.use(1 + len(line) // LINE_BYTES, time.monotonic()):
            return False
        self._log(line.decode("utf-8", "backslashreplace"))
        return True

    def figures(self) -> OutputFigures:
        """Return the lines and bytes that were ever over the budget."""
        return OutputFigures(self.dropped_lines, self.dropped_bytes)

    def drop(self, data: bytes) -> None:
        """Count lines that are not logged."""
        lines = data.count(b"\n")
        self.dropped_lines += lines
        self.dropped_bytes += len(data)
        self._untold = self._untold[0] + lines, self._untold[1] + len(data)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().call_later(TOLD_S, self._tell)

    def _tell(self) -> None:
        (lines, size), self._untold, self._telling = self._untold, (0, 0), None
        self._note(
            f"{lines} lines ({size} bytes) of output were dropped: a function may print {RATE:.0f} lines a second"
        )


class LogPipe:
    """A pipe for a child's stdout and stderr; its lines go to `output`, and it closes with the last child."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._rest = b""
        self._at_end = self._listens = False
        self._reader, self.child_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._reader, False)
        self._loop = asyncio.get_running_loop()
        self._listen()

    def handed_over(self) -> None:
        """Close the box's write end, once the child has its copy."""
        os.close(self.child_end)

    def _listen(self) -> None:
        if not self._listens:
            self._listens = True
            self._loop.add_reader(self._reader, self._readable)

    def _rest_a_while(self) -> None:
        if self._listens:
            self._listens = False
            self._loop.remove_reader(self._reader)

    def _readable(self) -> None:
        data = b""
        with contextlib.suppress(BlockingIOError):
            data = os.read(self._reader, _READ_BYTES)
            self._at_end = not data
        self._rest += data
        self._work()

    def _work(self) -> None:
        """Log lines as the budgets allow, and decide when to go on."""
        begin = 0
        while (end := self._end(begin)) >= 0:
            if not self._output.turn.take():
                self._rest = self._rest[begin:]
                self._rest_a_while()
                self._loop.call_soon(self._work)
                return
            if not self._output.write(self._rest[begin:end]):
                self._drop(begin)
                return
            begin = end + 1
        self._rest = self._rest[begin:]
        self._go_on(0.0 if self._output.may_read() else PAUSE_S)

    def _end(self, begin: int) -> int:
        """Return where the line from `begin` on ends; -1 where its end has not come."""
        end = self._rest.find(b"\n", begin)
        if end < 0 and len(self._rest) > begin and (self._at_end or len(self._rest) - begin > MAX_REST_BYTES):
            return len(self._rest)
        return end

    def _drop(self, begin: int) -> None:
        self._output.drop(self._rest[begin:])
        self._rest = b""
        self._go_on(PAUSE_S)

    def _go_on(self, pause_s: float) -> None:
        if self._at_end or pause_s:
            self._rest_a_while()
        if self._at_end:
            os.close(self._reader)
        elif pause_s:
            self._loop.call_later(pause_s, self._listen)
        else:
            self._listen()
