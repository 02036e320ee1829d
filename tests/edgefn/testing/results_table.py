"""The table of docs/results.md: each kind of result under each Accept, and what comes of it.

`python -m tests.edgefn.testing.results_table` writes it anew. `edgefn.testing.call` makes the calls, and answers as a
box does (tests/clients/test_in_process.py).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

from edgefn import Image, edge_function
from edgefn.testing import call

PAGE = Path(__file__).parents[3] / "docs" / "results.md"
BEGIN, END = "<!-- table: results -->\n", "<!-- end of table -->\n"


def _jpeg() -> Image:
    file = io.BytesIO()
    PIL.Image.new("RGB", (4, 3), (250, 0, 0)).save(file, "JPEG")
    return Image(file.getvalue())


RESULTS: dict[str, Any] = {
    "`str`": "grüß dich",
    "`bytes`": b"\x00\xff",
    "`Image` of a JPEG": _jpeg(),
    "array of numbers": np.ones((2, 2), np.float32),
    "array of complex numbers": np.array([1j]),
    "array of objects": np.array([{"a": 1}, None], dtype=object),
    "number, list, struct, …": {"scores": [0.5, 1.0]},
    "dict with tuples as keys": {(1, 2): "a"},
    "`None`": None,
    "an object of no kind": object(),
}
ACCEPTS = [
    "",
    "*/*",
    "application/json",
    "application/msgpack",
    "application/x-npy",
    "application/octet-stream",
    "text/plain",
    "image/*",
    "image/webp, */*;q=0.1",
    "text/html",
    "application/json;q=0",
]
SHORT = {
    "application/json": "JSON",
    "application/msgpack": "msgpack",
    "application/x-npy": ".npy",
    "application/octet-stream": "octets",
    "text/plain": "text",
    "image/png": "PNG",
    "image/jpeg": "JPEG",
    "image/webp": "WebP",
}


@edge_function
def give(title: str) -> Any:
    """Return the result of that title."""
    return RESULTS[title]


def table() -> str:
    """Return the table in Markdown."""
    heads = [f"`{accept}`" if accept else "no `Accept`" for accept in ACCEPTS]
    lines = [f"| result | {' | '.join(heads)} |", "| --- |" + " --- |" * len(ACCEPTS)]
    for title in RESULTS:
        answers = [call(give, query={"title": title}, accept=accept) for accept in ACCEPTS]
        cells = [SHORT[one.media_type] if one.ok else str(one.status) for one in answers]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "".join(f"{line}\n" for line in lines)


def shown(page: str) -> str:
    """Return the table that `page` has."""
    return page.partition(BEGIN)[2].partition(END)[0]


def written(page: str) -> str:
    """Return `page` with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
