"""What a person probably meant: the known word nearest to an unknown one, as the end of an error message.

It must never guess for the program: a suggestion is only ever shown.
"""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'; did you mean "memory"?' when a known word is near `word`, else '; known are a, b, c' (or nothing)."""
    from difflib import get_close_matches

    choices = sorted(known)
    near = get_close_matches(word, choices, n=1, cutoff=0.5)
    if near:
        return f'; did you mean "{near[0]}"?'
    return f"; known are {', '.join(choices)}" if choices else ""
