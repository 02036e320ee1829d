"""`edgefn invoke`: what goes out for each way to give an input, and what comes back."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from starlette.responses import Response

if TYPE_CHECKING:
    from .conftest import Edgefn, StandIn

ECHO = "POST /fn/echo"


@pytest.fixture
def sent(edgefn: Edgefn, box: StandIn) -> Any:
    """(body, headers) of what an `edgefn invoke echo …` sends."""
    box.json(ECHO, {"ok": True})

    def invoke(*arguments: object, stdin: bytes = b"") -> tuple[bytes, dict[str, str]]:
        result = edgefn("invoke", "echo", *arguments, stdin=stdin)
        assert result.code == 0, result.stderr
        return box.asked(ECHO)[-1]

    return invoke


def test_json_is_sent_as_json(sent: Any) -> None:
    """The text goes out as it was written."""
    body, headers = sent("--json", '{"n": 1}')
    assert (body, headers["content-type"]) == (b'{"n": 1}', "application/json")


def test_what_is_not_json_is_not_sent(edgefn: Edgefn, box: StandIn) -> None:
    """A shell that ate the quotes is noticed here, with the exit code of a wrong input."""
    result = edgefn("invoke", "echo", "--json", "{n: 1}")
    assert result.code == 2
    assert "is not JSON" in result.stderr
    assert box.seen == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("cat.jpg", "image/jpeg"),
        ("CAT.PNG", "image/png"),
        ("x.webp", "image/webp"),
        ("x.json", "application/json"),
        ("x.npy", "application/x-npy"),
        ("x.msgpack", "application/msgpack"),
        ("x.unheard-of", "application/octet-stream"),
        ("README", "application/octet-stream"),
    ],
)
def test_a_file_is_typed_by_its_name(name: str, kind: str, sent: Any, tmp_path: Path) -> None:
    """The bytes unchanged, the type by extension."""
    (tmp_path / name).write_bytes(b"\x00\xff bytes")
    body, headers = sent("--file", tmp_path / name)
    assert (body, headers["content-type"]) == (b"\x00\xff bytes", kind)


def test_a_content_type_that_is_given_wins(sent: Any, tmp_path: Path) -> None:
    """For files whose name says nothing, and for stdin."""
    body, headers = sent("--file", "-", "--content-type", "image/jpeg", stdin=b"\xff\xd8")
    assert (body, headers["content-type"]) == (b"\xff\xd8", "image/jpeg")


def test_text_a_form_and_nothing_at_all(sent: Any, tmp_path: Path) -> None:
    """The other ways to give an input."""
    assert sent("--data", "grüße")[0] == "grüße".encode()
    (tmp_path / "cat.jpg").write_bytes(b"\xff\xd8")
    body, headers = sent("--form", "n=1", "--form", f"image=@{tmp_path / 'cat.jpg'}")
    assert headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="n"\r\n\r\n1\r\n' in body
    assert b'name="image"; filename="cat.jpg"\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8' in body
    body, headers = sent()
    assert body == b""
    assert "content-type" not in headers


def test_parameters_beside_the_body_go_into_the_url(edgefn: Edgefn, box: StandIn) -> None:
    """For a handler that takes a picture and a number."""
    box.json(ECHO, 1)
    assert edgefn("invoke", "echo", "--data", "x", "-q", "n=1", "-q", "word=a b&c").code == 0
    assert box.queries[-1] == "n=1&word=a+b%26c"


def test_accept_is_passed_on(sent: Any) -> None:
    """The answer's form is the caller's choice."""
    assert sent("--accept", "application/msgpack")[1]["accept"] == "application/msgpack"


@pytest.mark.parametrize(("given", "told"), [("250ms", "0.25"), ("2min", "120"), ("", "300")])
def test_the_box_is_told_how_long_the_caller_waits(given: str, told: str, sent: Any) -> None:
    """As seconds in X-Request-Timeout, so that it does no work for somebody who has gone."""
    assert sent(*(["--timeout", given] if given else []))[1]["x-request-timeout"] == told


@pytest.mark.parametrize(
    "line",
    [
        ["--json", "1", "--data", "x"],
        ["--file", "/no/such/file.jpg"],
        ["--form", "nothing"],
        ["--query", "=1"],
        ["--form", "image=@/no/such/file.jpg"],
        ["--json", "1", "--timeout", "soon"],
        ["--json", "1", "--timeout", "0s"],
    ],
)
def test_an_input_that_cannot_be_sent_is_code_2(line: list[str], edgefn: Edgefn, box: StandIn) -> None:
    """One line, before anything is sent."""
    result = edgefn("invoke", "echo", *line)
    assert result.code == 2
    assert len(result.stderr.splitlines()) == 1
    assert box.seen == []


def test_json_answers_end_with_a_line_end_and_bytes_do_not(edgefn: Edgefn, box: StandIn) -> None:
    """Into a pipe the answer goes as it is; JSON is a line."""
    box.answers[ECHO] = Response(b'{"n":2}', media_type="application/json")
    assert edgefn("invoke", "echo").stdout == b'{"n":2}\n'
    box.answers[ECHO] = Response(b"\x89PNG\x00", media_type="image/png")
    assert edgefn("invoke", "echo").stdout == b"\x89PNG\x00"


def test_json_is_laid_out_for_a_person(edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal the JSON is indented."""
    box.json(ECHO, {"label": "cat", "score": 0.9})
    monkeypatch.setattr("edgefn_cli.display.output.is_terminal", lambda: True)
    shown = edgefn("invoke", "echo").stdout.decode()
    assert json.loads(shown) == {"label": "cat", "score": 0.9}
    assert len(shown.splitlines()) > 1


def test_bytes_are_not_poured_into_a_terminal(
    edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Refused with the option that takes them; with the option they land in the file."""
    box.answers[ECHO] = Response(b"\x89PNG\x00", media_type="image/png")
    monkeypatch.setattr("edgefn_cli.display.output.is_terminal", lambda: True)
    result = edgefn("invoke", "echo")
    assert (result.code, result.stdout) == (2, b"")
    assert "-o" in result.stderr
    assert edgefn("invoke", "echo", "-o", tmp_path / "out.png").code == 0
    assert (tmp_path / "out.png").read_bytes() == b"\x89PNG\x00"
    assert edgefn("invoke", "echo", "-o", tmp_path / "no" / "out.png").code == 2


def test_timing_tells_each_phase_on_stderr(edgefn: Edgefn, box: StandIn) -> None:
    """Server-Timing as a small table; stdout stays the answer."""
    timing = 'queue;dur=0.21, start;dur=18.40;desc=cold, decode;dur=1.00, total;dur=20;desc="a b"'
    box.answers[ECHO] = Response(b"1", headers={"server-timing": timing}, media_type="application/json")
    result = edgefn("invoke", "echo", "--timing")
    assert result.stdout == b"1\n"
    rows = [line.split() for line in result.stderr.splitlines()]
    assert rows[0] == ["queue", "0.21", "ms"]
    assert rows[1] == ["start", "18.40", "ms", "cold"]
    assert rows[3][-2:] == ["a", "b"]
    assert rows[-1][:2] == ["round", "trip"]


def test_the_functions_error_is_the_commands_error(edgefn: Edgefn, box: StandIn) -> None:
    """A full queue is exit code 75 (try again later), with Retry-After read."""
    box.problem(ECHO, 429, {"retry-after": "3"}, error="QueueFull", detail="echo's queue is full")
    result = edgefn("invoke", "echo", "--json", "1")
    assert (result.code, result.stderr) == (75, "error: echo's queue is full\n")


def test_stdin_is_read_only_when_asked_for(sent: Any) -> None:
    """A loop that reads its lines from stdin (`while read …; do edgefn invoke …`) keeps them."""
    assert sent(stdin=b"not for you")[0] == b""
    assert sys.stdin.buffer.read() == b"not for you"
