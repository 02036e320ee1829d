"""docs/results.md has the table of results by Accept as it is."""

from __future__ import annotations

from tests.edgefn.testing.results_table import PAGE, shown, table


def test_the_page_has_the_table() -> None:
    """`python -m tests.edgefn.testing.results_table` writes it."""
    assert shown(PAGE.read_text(encoding="utf-8")) == table()
