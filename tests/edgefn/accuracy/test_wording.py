"""Figures in verdicts say what was found."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgefn.accuracy import wording

SHARES = st.floats(1e-6, 20.0)


@given(SHARES, SHARES.map(lambda share: share * 1e-7) | SHARES)
def test_unlike_shares_are_told_apart(share: float, more: float) -> None:
    """An error just over its limit does not read as the limit itself."""
    found, allowed = wording.told_apart(share + more, share)
    assert (found == allowed) == (share + more == share)


def test_shares_read_as_people_write_them() -> None:
    """Two digits do where they show the difference."""
    assert wording.told_apart(0.14, 0.1) == ("14 %", "10 %")
    assert wording.told_apart(0.1003, 0.1) == ("10.03 %", "10 %")
