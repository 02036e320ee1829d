"""One record of a log, as text."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edgefn_runtime.telemetry.record import MAX_TEXT_BYTES, record, records

MARCH_2026 = 1772366400.123


def made(text: str | bytes, id: str = "7f3a") -> str:
    return record(text, at=MARCH_2026, stream="stdout", pid=4711, id=id)


def test_a_record_has_its_columns_before_its_text() -> None:
    """Time in UTC with milliseconds, stream, pid and id, then the text as it was."""
    assert made("hello  world") == "2026-03-01T12:00:00.123Z stdout 4711 7f3a hello  world"


def test_unknown_pid_and_id_are_dashes() -> None:
    """Columns never vanish, so that `cut` and `awk` count right."""
    assert record("x", at=0, stream="box", pid=0, id="") == "1970-01-01T00:00:00.000Z box - - x"


def test_a_trace_is_one_record() -> None:
    """The lines after the first start with a tab, which no record does."""
    text = made("Traceback:\n  File x\nValueError: no\n")
    assert text.endswith("Traceback:\n\t  File x\n\tValueError: no")
    assert records(f"{text}\n{made('next')}\n") == [text, made("next")]


def test_a_terminal_is_never_driven_by_a_log() -> None:
    """Escape sequences, carriage returns and bytes that are no text are written out."""
    assert made("a\x1b[2Jb\rc\x00d").endswith("a\\x1b[2Jb\\rc\\x00d")
    assert made(b"\xff\xfe ok \xc3\xa4").endswith("\\xff\\xfe ok ä")
    assert made("\udcff").endswith("\\udcff")
    assert made("one\r\ntwo").endswith("one\n\ttwo")


def test_an_id_from_a_client_cannot_forge_a_column() -> None:
    """X-Request-Id is the caller's text: its blanks and newlines do not reach the columns."""
    assert " evil_stdout_1_x text" in made("text", id="evil stdout\n1\tx")


def test_long_text_loses_its_middle_and_says_so() -> None:
    """Over 16 KiB, what a trace ends with and a dump starts with are both kept."""
    text = made("start" + "x" * 100_000 + "ValueError: the end")
    assert len(text) < MAX_TEXT_BYTES + 200
    assert "bytes cut]" in text
    assert "start" in text
    assert text.endswith("ValueError: the end")


@given(st.lists(st.text() | st.binary(), min_size=1, max_size=8))
def test_records_survive_being_joined(texts: list[str | bytes]) -> None:
    """Whatever was written, as many records come out of a file as went into it, and it encodes as UTF-8."""
    written = [made(text) for text in texts]
    assert records("".join(f"{text}\n" for text in written).encode().decode()) == written
