"""Decide from a few compared answers: right, wrong, or not shown. Print counts, never a share alone.

Of float artifacts every answer must match. Of int8 and bf16, whose answers may differ now and then, the sequential test
of Wald (Ann. Math. Stat. 16, 1945) tells a file that differs in ALLOWED of all answers from one that differs in
TOO_MANY; it may be looked at after each answer. The interval is Wilson's (J. Am. Stat. Assoc. 22, 1927).
"""

from __future__ import annotations

import math
from typing import Literal

Verdict = Literal["right", "wrong", "not shown"]

ALLOWED = 0.005
"""A good int8 file may answer otherwise so often."""

TOO_MANY = 0.03
"""A bad one does so often."""

ERROR = 0.05
"""How often the test may be wrong, either way."""

CONFIDENCE_Z = 1.959963984540054
"""Of a two-sided interval of 95 %."""

ONE_SIDED = 0.05


def wilson(matched: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a share, of which `matched` of `of` were seen; (0, 1) of none."""
    if not of:
        return 0.0, 1.0
    share, z2 = matched / of, CONFIDENCE_Z**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = CONFIDENCE_Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of)) / (1 + z2 / of)
    return max(0.0, middle - half), min(1.0, middle + half)


def shown_at_least(matched: int, of: int) -> float:
    """Return the share of matching answers that these counts show with 95 % confidence.

    Exact where all match, else the lower end of Wilson's interval.
    """
    if matched == of:
        return float(ONE_SIDED ** (1 / of)) if of else 0.0
    return wilson(matched, of)[0]


def verdict(matched: int, of: int, *, strict: bool) -> Verdict:
    """Return the verdict on an artifact of which `matched` of `of` answers match.

    With `strict` one mismatch makes it wrong.
    """
    if not of:
        return "not shown"
    if strict:
        return "right" if matched == of else "wrong"
    evidence = _evidence(matched, of)
    if evidence >= math.log((1 - ERROR) / ERROR):
        return "wrong"
    return "right" if evidence <= math.log(ERROR / (1 - ERROR)) or matched == of else "not shown"


def told(matched: int, of: int) -> str:
    """Format the count and the share that it shows, e.g. "16 of 16 (shows at least 0.83)"."""
    return f"{matched} of {of} (shows at least {shown_at_least(matched, of):.2f})"


def _evidence(matched: int, of: int) -> float:
    """Return the logarithm of how much likelier a bad file gives these answers than a good one."""
    differing = of - matched
    return differing * math.log(TOO_MANY / ALLOWED) + matched * math.log((1 - TOO_MANY) / (1 - ALLOWED))
