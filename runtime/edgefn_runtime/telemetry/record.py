"""One record of a function's log, as text: columns first, then the line.

    2026-03-01T12:00:00.123Z stdout 4711 7f3a90c2 the first line
    <tab>a line that belongs to it, e.g. of a traceback

A record starts at the start of a line and its further lines start with a tab, so a reader can tell records
apart wherever it begins to read. Characters that a terminal would act on (escape sequences, carriage returns, bytes
that are not text) are escaped as `\\x1b`: a function's output never moves the reader's cursor.
Pure: this module opens no file and reads no clock.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from edgefn.text.terminal import visible

MAX_TEXT_BYTES = 16 * 2**10
"""Longer text loses its middle: a traceback has its message at the end, a dump at the start."""

_KEPT_TAIL_BYTES = 4 * 2**10
_UNFIT_FOR_COLUMN = re.compile(r"\s")
_JOIN = "\v"  # never in a record: it is unprintable


def record(text: str | bytes, *, at: float, stream: str, pid: int, id: str) -> str:
    """Format `text` as a record of the time `at` (seconds since the epoch), with no newline at its end."""
    time = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")[:-6]
    column = _UNFIT_FOR_COLUMN.sub("_", printable(id)) or "-"
    lines = printable(text).rstrip("\n").replace("\n", "\n\t")
    return f"{time}Z {stream} {pid or '-'} {column} {lines}"


def printable(text: str | bytes) -> str:
    """Return `text` with unprintable characters escaped.

    Over MAX_TEXT_BYTES, its middle is cut out with a mark.
    """
    if isinstance(text, str) and text.isprintable() and len(text) <= MAX_TEXT_BYTES // 4:
        return text  # nearly every line, at a tenth of the price
    if isinstance(text, bytes) or len(text) * 4 > MAX_TEXT_BYTES:
        text = _shorten(text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace"))
    return visible(text.replace("\r\n", "\n"))


def _shorten(raw: bytes) -> str:
    if len(raw) <= MAX_TEXT_BYTES:
        return raw.decode("utf-8", "backslashreplace")
    head, tail = raw[: MAX_TEXT_BYTES - _KEPT_TAIL_BYTES], raw[-_KEPT_TAIL_BYTES:]
    mark = f" … [{len(raw) - MAX_TEXT_BYTES} bytes cut] … "
    return head.decode("utf-8", "ignore") + mark + tail.decode("utf-8", "ignore")


def records(text: str) -> list[str]:
    """Split `text`, which begins at the start of a record, into records."""
    joined = text.replace("\n\t", _JOIN).split("\n")
    return [found.replace(_JOIN, "\n\t") for found in joined if found]
