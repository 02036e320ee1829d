"""The calls of a pool that wait: the one with the earliest deadline is the next."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from math import inf

from edgefn_runtime.calls.call import Call

_Place = tuple[float, float, int, Call]


class Queue:
    """Calls by deadline; of equal deadlines the call admitted first is first, so calls of one timeout keep their order.

    A sorted list and not a heap: admission asks how many calls go first, which a heap does not know, and a call that
    leaves is gone with its body. Comparisons are O(log n); what is moved is pointers, 10 µs of them among 10,000 calls.
    """

    def __init__(self) -> None:
        self._places: list[_Place] = []
        self._tickets = 0

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Call]:
        """Yield the calls, the next one first."""
        return (place[3] for place in self._places)

    def push(self, call: Call) -> None:
        """Add the call, ordered by its `deadline` and `admitted`.

        A call that comes back gets its old place.
        """
        if not call.ticket:
            self._tickets += 1
            call.ticket = self._tickets
        insort(self._places, (call.deadline, call.admitted, call.ticket, call))

    def pop(self) -> Call:
        """Remove the call with the earliest deadline and return it. Raises IndexError when the queue is empty."""
        return self._places.pop(0)[3]

    def remove(self, call: Call) -> bool:
        """Remove the call; tell whether it was there."""
        at = bisect_left(self._places, (call.deadline, call.admitted, call.ticket))
        found = at < len(self._places) and self._places[at][3] is call
        if found:
            del self._places[at]
        return found

    def ahead(self, deadline: float) -> int:
        """Return how many of the calls go before one that comes now with that deadline."""
        return bisect_right(self._places, (deadline, inf))
