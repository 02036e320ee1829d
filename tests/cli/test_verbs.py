"""The verbs that ask a box: what they send and what they show."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from starlette.responses import Response

from .conftest import STATUS, TOKEN

if TYPE_CHECKING:
    from .conftest import Edgefn, StandIn


def test_list_shows_each_function_on_a_line(edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, state, revision, memory and traffic; the JSON is the box's own."""
    box.json("GET /admin/functions", {"functions": [STATUS, STATUS | {"name": "another", "state": "idle"}]})
    lines = edgefn("list").stdout.decode().splitlines()
    assert lines[0].split()[:3] == ["NAME", "STATE", "REVISION"]
    assert [line.split()[0] for line in lines[1:]] == ["another", "echo"]
    assert lines[2].split()[2] == "3"
    assert max(map(len, lines)) <= 80
    assert "12.0 MB" in lines[2]
    assert edgefn("list", "--json").json["functions"][0] == STATUS
    box.json("GET /admin/functions", {"functions": [STATUS | {"name": "a_long_name_for_a_function"}]})
    monkeypatch.setenv("COLUMNS", "80")
    assert "12.0 MB" in edgefn("list").stdout.decode()


def test_an_empty_list_says_so_on_stderr(edgefn: Edgefn, box: StandIn) -> None:
    """A pipe gets nothing, a person gets a hint."""
    box.json("GET /admin/functions", {"functions": []})
    result = edgefn("list")
    assert result.stdout == b""
    assert "edgefn deploy" in result.stderr


def test_status_shows_all_that_the_box_knows(edgefn: Edgefn, box: StandIn) -> None:
    """Revision, state, instances, memory, the artifacts' proofs, batching, the cold start's phases, the history."""
    box.json("GET /admin/functions/echo", STATUS)
    shown = edgefn("status", "echo").stdout.decode()
    assert "on" in shown.split()
    assert "1 thread an instance, at most 2 instances" in shown
    assert "(2 cores ÷ 0.97 cores that a busy instance uses)" in shown
    for part in ("2.31 × the rows a second, 5.2 rows a run", "at most 8 rows, 2.0 ms"):
        assert part in shown, shown
    for part in ("serving", "4711", "9.0 MB", "portable/fp32", "2.1e-06", "100.0%", "session 4.4 ms", "cdcdcdcdcdcd"):
        assert part in shown, shown
    assert edgefn("status", "echo", "--json").json == STATUS


def test_status_of_a_function_that_never_ran(edgefn: Edgefn, box: StandIn) -> None:
    """No instance, no template, no proof yet: dashes, not errors."""
    bare = STATUS | {"instances": [], "template": None, "phases": {}, "state": "parked", "reason": "not yet [asked]"}
    unproved = [{"model": "net", "target": "portable/fp32", "backend": "onnxruntime", "error": None, "top1": None}]
    box.json("GET /admin/functions/echo", bare | {"artifacts": unproved})
    shown = edgefn("status", "echo").stdout.decode()
    assert "parked (not yet [asked])" in shown


def test_a_process_that_has_just_ended_has_no_memory(edgefn: Edgefn, box: StandIn) -> None:
    """The box saw it end between its list and its memory: null is its size, and the others are shown."""
    ended = {"pid": 4712, "state": "ready", "in_flight": 0, "age_s": 1.0, "private_bytes": None}
    status = STATUS | {"instances": [*STATUS["instances"], ended], "template": {"pid": 4710, "private_bytes": None}}
    box.json("GET /admin/functions", {"functions": [status]})
    box.json("GET /admin/functions/echo", status)
    assert "3.0 MB" in edgefn("list").stdout.decode()
    assert "4712" in edgefn("status", "echo").stdout.decode()


def test_what_a_newer_box_tells_besides_is_printed_for_programs(edgefn: Edgefn, box: StandIn) -> None:
    """It breaks no table, and --json has it, as it has what an older box leaves out: not."""
    status = STATUS | {"mood": "content", "cores": STATUS["cores"] | {"watts": 3}}
    box.json("GET /admin/functions/echo", status)
    assert "serving" in edgefn("status", "echo").stdout.decode()
    assert edgefn("status", "echo", "--json").json == status


def test_status_of_a_failed_function_says_why_and_when_it_is_tried_again(edgefn: Edgefn, box: StandIn) -> None:
    """The reason, and the seconds until a request is let in."""
    box.json("GET /admin/functions/echo", STATUS | {"state": "failed", "reason": "it died", "retry_after_s": 4})
    shown = edgefn("status", "echo").stdout.decode()
    assert "failed (it died; next retry by a request, in 4 s at the earliest)" in shown


def test_logs_are_printed_as_they_are(edgefn: Edgefn, box: StandIn) -> None:
    """Text untouched; in JSON the columns by name, on the further lines of a record too."""
    first = "2026-03-01T12:00:00.123Z stdout 4711 7f3a hello world\n\tsecond line\n"
    text = f"{first}2026-03-01T12:00:01.000Z error 4711 - x\n"
    box.answers["GET /admin/functions/echo/logs"] = Response(text, media_type="text/plain")
    assert edgefn("logs", "echo", "-n", "7").stdout.decode() == text
    objects = [json.loads(line) for line in edgefn("logs", "echo", "--json").stdout.splitlines()]
    assert [each["text"] for each in objects] == ["hello world", "second line", "x"]
    assert objects[1] | {"text": ""} == objects[0] | {"text": ""}
    assert (objects[2]["stream"], objects[2]["id"]) == ("error", "-")


def test_stop_and_rollback_tell_what_came_of_it(edgefn: Edgefn, box: StandIn) -> None:
    """The box's answer in JSON, a line for a person."""
    box.json("POST /admin/functions/echo/stop", STATUS | {"state": "stopped"})
    box.json("POST /admin/functions/echo/rollback", {"function": "echo", "revision": "sha256:12", "number": 2})
    assert "stopped" in edgefn("stop", "echo").stderr
    assert edgefn("stop", "echo", "--json").json["state"] == "stopped"
    assert "revision 2" in edgefn("rollback", "echo").stderr
    assert edgefn("rollback", "echo", "--to", "2", "--json").json["number"] == 2
    bodies = [json.loads(body) for body, _ in box.asked("POST /admin/functions/echo/rollback")]
    assert bodies == [{}, {"number": 2}]


@pytest.mark.parametrize(("answer", "code", "removed"), [(b"y\n", 0, 1), (b"n\n", 1, 0), (b"", 1, 0)])
def test_remove_asks_first(answer: bytes, code: int, removed: int, edgefn: Edgefn, box: StandIn) -> None:
    """Only a yes removes; no answer at all (no terminal) is a no."""
    box.json("GET /admin/functions/echo", STATUS)
    box.answers["DELETE /admin/functions/echo"] = Response(status_code=204)
    result = edgefn("remove", "echo", stdin=answer)
    assert result.code == code
    assert result.stdout == b""
    assert len(box.asked("DELETE /admin/functions/echo")) == removed


def test_remove_with_yes_does_not_ask(edgefn: Edgefn, box: StandIn) -> None:
    """For scripts."""
    box.answers["DELETE /admin/functions/echo"] = Response(status_code=204)
    assert edgefn("remove", "echo", "--yes", "--json").json == {"function": "echo", "removed": True}


def test_box_info_and_token(edgefn: Edgefn, box: StandIn, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a box says of itself; the token of a home on this machine."""
    about = {"name": "line-3", "version": "0.1.0", "pid": 1, "engines": {"onnxruntime": "1.22"}, "uptime_s": 61.0}
    box.json("GET /admin/box", about)
    assert edgefn("box", "info", "--json").json == about
    shown = edgefn("box", "info").stdout.decode()
    assert "onnxruntime 1.22" in shown
    assert "1 min 1 s" in shown
    home = tmp_path_factory.mktemp("home")
    assert edgefn("box", "token", "--home", home).code == 7
    (home / "token").write_text("t0ken\n")
    assert edgefn("box", "token", "--home", home).stdout == b"t0ken\n"
    assert edgefn("box", "token", "--home", home, "--json").json == {"token": "t0ken", "home": str(home)}


def test_the_boxs_token_goes_with_each_call(edgefn: Edgefn, box: StandIn) -> None:
    """A box beyond loopback asks the callers of functions for it, too; the handler does not see it."""
    box.json("GET /admin/functions", {"functions": []})
    box.json("POST /fn/echo", {"n": 2})
    edgefn("list")
    edgefn("invoke", "echo", "--json", "{}")
    (_, admin), (_, invocation) = box.asked("GET /admin/functions")[0], box.asked("POST /fn/echo")[0]
    assert admin["authorization"] == invocation["authorization"] == f"Bearer {TOKEN}"


def test_names_cannot_leave_their_place_in_the_url(edgefn: Edgefn, box: StandIn) -> None:
    """A name with a slash is asked for as one name, not as another path."""
    edgefn("status", "../box")
    assert [route for route, _, _ in box.seen] == ["GET /admin/functions/../box"] or box.seen == []


MISSING = {"namespaces": "the kernel has no user namespaces", "files": "no Landlock before Linux 5.13"}


def test_status_says_what_does_not_isolate_the_function(edgefn: Edgefn, box: StandIn) -> None:
    """Each layer with its reason, in a row that is there only then."""
    box.json("GET /admin/functions/echo", STATUS | {"missing_isolation": MISSING})
    (row,) = [line for line in edgefn("status", "echo").stdout.decode().splitlines() if "not isolated" in line]
    assert all(f"{layer} ({why})" in row for layer, why in MISSING.items())
    assert edgefn("status", "echo", "--json").json["missing_isolation"] == MISSING
    box.json("GET /admin/functions/echo", STATUS | {"missing_isolation": {}})
    assert b"not isolated" not in edgefn("status", "echo").stdout


def test_box_info_says_what_does_not_isolate_functions(edgefn: Edgefn, box: StandIn) -> None:
    """Each layer that the kernel lacks with its reason, beside those that are there, said once."""
    about = {"name": "line-3", "uptime_s": 61.0, "isolation": {"tcp": True, "users": True} | MISSING}
    box.json("GET /admin/box", about | {"missing_isolation": MISSING})
    shown = edgefn("box", "info").stdout.decode()
    (row,) = [line for line in shown.splitlines() if line.startswith("isolation")]
    there, _, lacking = row.partition("; not enforced: ")
    assert "tcp, users" in there
    assert all(f"{layer}: {why}" in lacking for layer, why in MISSING.items())
    assert shown.count("namespaces") == 2, "the layer and the word in its reason"
    box.json("GET /admin/box", about | {"isolation": {"tcp": True}, "missing_isolation": {}})
    assert b"not enforced" not in edgefn("box", "info").stdout
