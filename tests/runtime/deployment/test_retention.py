"""What stays on the box is what serves and where rollbacks go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.deployment import retention
from edgefn_runtime.store.database import HistoryEntry


def _entry(number: int, previous: int | None) -> HistoryEntry:
    return HistoryEntry("greet", number, f"sha256:{number}", previous, "", b"", ())


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[HistoryEntry], int]:
    """A history as deployments and rollbacks make it, some of it forgotten, and the number that serves."""
    entries: list[HistoryEntry] = []
    current: int | None = None
    for number in range(1, draw(st.integers(1, 30)) + 1):
        entries.append(_entry(number, current))
        current = number
        for _ in range(draw(st.integers(0, 2))):
            current = entries[current - 1].previous or current
    assert current is not None
    gone = draw(st.sets(st.integers(1, len(entries)))) - {current}
    return [entry for entry in entries if entry.number not in gone], current


@given(histories(), st.integers(1, 25))
def test_kept(history: tuple[list[HistoryEntry], int], count: int) -> None:
    """As many as there is room for are kept: what serves first of all, and no older lineage before a newer one."""
    entries, current = history
    kept = retention.kept(entries, current, count)
    assert len({entry.number for entry in kept}) == len(kept) == min(count, len(entries))
    assert kept[0].number == current
    lineage = [entry.number for entry in retention.lineage(entries, current)]
    assert lineage == sorted(lineage, reverse=True)
    assert [entry.number for entry in kept][: len(lineage)] == lineage[:count]


@given(histories())
def test_forgotten(history: tuple[list[HistoryEntry], int]) -> None:
    """What is forgotten is not on the disk, and what serves never is."""
    entries, current = history
    forgotten = set(retention.forgotten(entries, current))
    assert len(entries) - len(forgotten) <= retention.REMEMBERED
    assert not forgotten & {entry.number for entry in retention.kept(entries, current)}
    assert current not in forgotten
