"""Texts of others, bounded, and of characters that UTF-8 has: what an instance tells the box, and a box a caller. Pure.

What a handler raises, names or answers with may be of any length and hold lone surrogates (os.fsdecode makes them).
Neither may cost its instance the connection to the box.
"""

from __future__ import annotations

MAX_TEXT = 16 * 2**10
"""Characters of the longest text that an instance sends of itself: a traceback. The log keeps no more of one."""

MAX_REASON = 2_000
"""Characters of what is told to a caller, or in a status."""

_TAIL = 1 / 4


def fit(text: str, most: int = MAX_TEXT) -> str:
    """Return `text` cut to at most `most` characters, and without lone surrogates.

    What is too much is cut out of the middle, with a mark there.
    """
    if len(text) > most:
        tail = int(most * _TAIL)
        mark = f" … [{len(text) - most} characters cut] … "
        text = text[: most - tail - len(mark)] + mark + text[-tail:]
    return replaced(text)


def replaced(text: str) -> str:
    """Return `text` with a question mark for each lone surrogate."""
    return text.encode("utf-8", "replace").decode() if not text.isascii() else text
