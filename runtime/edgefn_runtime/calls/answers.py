"""The memory that unfinished answers may take of the box: by function, and all together.

An answer is collected here only when there is room for the whole of it; otherwise it waits unread in its instance. So
whatever instances send, the box holds no more than this, and two large answers never wait for each other.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from edgefn_runtime.wire.frames import MAX_ANSWER_BYTES

ALL_BYTES = 96 * 2**20
"""Of all functions together: the largest answer, and half as much beside it."""

FUNCTION_BYTES = MAX_ANSWER_BYTES


class _Waiting(NamedTuple):
    function: str
    size: int
    go_on: Callable[[], None]


class AnswerMemory:
    """The memory in use, and the answers that wait for some, in order. Its methods belong to the event loop."""

    def __init__(self, all_bytes: int = ALL_BYTES, function_bytes: int = FUNCTION_BYTES) -> None:
        self._all_bytes = all_bytes
        self._function_bytes = function_bytes
        self._taken: Counter[str] = Counter()
        self._waiting: deque[_Waiting] = deque()

    @property
    def taken_bytes(self) -> int:
        """Return the bytes in use now."""
        return sum(self._taken.values())

    def take(self, function: str, size: int, go_on: Callable[[], None]) -> bool:
        """Take `size` bytes for `function`; where there are none, `go_on` is called once they are taken."""
        if self._fits(function, size):
            self._taken[function] += size
            return True
        self._waiting.append(_Waiting(function, size, go_on))
        return False

    def give_back(self, function: str, size: int) -> None:
        """Release memory, and give it to the waiting answers that fit now."""
        self._taken[function] -= size
        if not self._taken[function]:
            del self._taken[function]
        for _ in range(len(self._waiting)):
            waiting = self._waiting.popleft()
            if self._fits(waiting.function, waiting.size):
                self._taken[waiting.function] += waiting.size
                waiting.go_on()
            else:
                self._waiting.append(waiting)

    def forget(self, go_on: Callable[[], None]) -> None:
        """Remove the answer with the callback `go_on` from those that wait."""
        self._waiting = deque(one for one in self._waiting if one.go_on != go_on)

    def _fits(self, function: str, size: int) -> bool:
        return self._taken[function] + size <= self._function_bytes and self.taken_bytes + size <= self._all_bytes
