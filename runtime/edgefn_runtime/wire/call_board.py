"""A few words of memory that the box and an instance share: how far the instance is, and what it need not do.

    entered        the number of the last call that the instance has begun; written by the instance
    revoked_from   calls of these numbers are not to be begun any more; written by the box
    revoked_to
    reading        how many requests are being read now, before a handler sees them; written by the instance

Numbers grow from 1, and an instance begins its calls in their order. So when it dies, or hangs in one call, the box
knows of each call in its hands whether the handler has seen it: one that it has not can be served elsewhere.

The instance writes `entered` and then looks at the revoked range; the box writes the range, waits until the stores of
both processors are visible (SETTLE_S is some thousand times that), and then looks at `entered`. Either the instance
has seen the range, or the box sees the call entered.

Whatever an instance writes there may be a lie. The box takes each word for a number of 64 bits and nothing more, and
what follows from a lie falls upon the calls of that instance alone.
"""

from __future__ import annotations

SIZE = 4096
SETTLE_S = 0.001

_ENTERED, _FROM, _TO, _READING = range(4)
MAX_NUMBER = 2**64 - 1


class Board:
    """The words over `memory`, a writable shared buffer of SIZE bytes, zero at first."""

    def __init__(self, memory: memoryview) -> None:
        self._words = memory.cast("Q")

    @property
    def entered(self) -> int:
        """Return the number of the last call that was begun; 0 before the first."""
        return self._words[_ENTERED]

    def enter(self, number: int) -> bool:
        """Begin call `number`; return False when it was revoked and must not be begun. For the instance."""
        words = self._words
        words[_ENTERED] = number
        return not words[_FROM] <= number <= words[_TO]

    @property
    def reading(self) -> bool:
        """Tell whether a request is being read, or was when the process ended."""
        return self._words[_READING] > 0

    def read(self, requests: int) -> None:
        """Record how many requests are being read now. For the instance.

        The handlers of all others that were entered have begun.
        """
        self._words[_READING] = requests

    def revoke(self, first: int, last: int) -> None:
        """Revoke the calls from `first` to `last` that have not been begun. For the box."""
        self._words[_TO] = 0  # the range is empty while its two ends do not belong together
        self._words[_FROM] = min(first, MAX_NUMBER)
        self._words[_TO] = last

    def release(self) -> None:
        """Release the memory, which may then be unmapped."""
        self._words.release()
