"""What a README says first."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgefn.bundle.readme import MAX_CHARACTERS, first_paragraph


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("# echo\n\nAnswers\nin words.\n\nMore.\n", "Answers in words."),
        ("echo\n====\n\nAnswers.\n", "Answers."),
        ("# echo\nAnswers.\n", "Answers."),
        ("[![build](x)](y)\n\n![picture](z)\n\n<img>\n\nAnswers.", "Answers."),
        ("# echo\r\n\r\nAnswers.\r\n", "Answers."),
        ("# echo\n", ""),
        ("", ""),
        ("a" * 2000, "a" * MAX_CHARACTERS),
    ],
)
def test_the_first_paragraph_of_text(tmp_path: Path, text: str, told: str) -> None:
    """Without headings, badges, pictures and HTML; on one line."""
    (tmp_path / "README.md").write_bytes(text.encode())
    assert first_paragraph(tmp_path) == told


def test_no_readme_is_no_text(tmp_path: Path) -> None:
    """A folder need not have one."""
    assert first_paragraph(tmp_path) == ""
