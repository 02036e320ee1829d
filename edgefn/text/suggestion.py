"""Suggestions for a misspelt word: the known word nearest to it, as the end of an error message.

It must never guess for the program: a suggestion is only ever shown.
"""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return '; did you mean "memory"?' for a near known word, else '; use one of a, b, c' (or nothing)."""
    choices = sorted(known)
    if meant := nearest(word, choices):
        return meant
    return f"; use one of {', '.join(choices)}" if choices else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return '; did you mean "memory"?' when a known word is near `word`, else nothing."""
    from difflib import get_close_matches

    near = get_close_matches(word, sorted(known), n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else ""
