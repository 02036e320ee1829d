"""The board: what is begun, what is taken back, and that no call is both."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.wire.call_board import SIZE, Board


@given(st.integers(1, 50), st.integers(0, 50), st.integers(0, 50))
def test_a_revoked_call_is_not_begun_and_a_begun_one_not_taken_back(total: int, begun: int, first: int) -> None:
    """Of calls 1..total, those entered before the revocation run; of the rest, the revoked do not."""
    memory = memoryview(bytearray(SIZE))
    box, instance = Board(memory), Board(memory)
    ran = [number for number in range(1, min(begun, total) + 1) if instance.enter(number)]
    box.revoke(max(first, box.entered + 1), total)
    taken = range(max(first, box.entered + 1), total + 1)
    ran += [number for number in range(box.entered + 1, total + 1) if instance.enter(number)]
    assert sorted([*ran, *taken]) == list(range(1, total + 1))


def test_calls_after_a_revoked_range_are_begun() -> None:
    """Numbers are never used twice, so a range that was revoked once stays harmless."""
    board = Board(memoryview(bytearray(SIZE)))
    board.revoke(3, 5)
    assert [number for number in range(1, 9) if board.enter(number)] == [1, 2, 6, 7, 8]
