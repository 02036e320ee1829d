"""The first paragraph of a function's README.md, which the box's OpenAPI document tells of it."""

from __future__ import annotations

import re
from pathlib import Path

MAX_CHARACTERS = 1000
"""A paragraph. Who pastes a page there gets its beginning."""

_HEADING = re.compile(r"#{1,6} |=+$|-+$|!\[|\[!\[|<")
"""Headings, their underlines, badges, pictures and HTML."""


def first_paragraph(folder: Path) -> str:
    """Return the first paragraph of text of `folder`'s README.md on one line; "" where there is none."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    for block in re.split(r"\n\s*\n", text):
        lines = [line.strip() for line in block.splitlines() if line.strip()]
        if len(lines) > 1 and re.fullmatch(r"=+|-+", lines[1]):
            lines = lines[2:]
        kept = [line for line in lines if not _HEADING.match(line)]
        if kept:
            return " ".join(kept)[:MAX_CHARACTERS]
    return ""
