"""How the command fails: one line, the right exit code, a trace only when asked for."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from edgefn import errors
from edgefn.api.problems import Problem, error_of
from edgefn.errors import DeploymentRefused, EdgefnError, HandlerError, InputError, NotAcceptable, QueueFull

from .conftest import STATUS

if TYPE_CHECKING:
    from .conftest import Edgefn, StandIn

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, EdgefnError) and cls is not EdgefnError
]


def _made(cls: type[EdgefnError]) -> EdgefnError:
    return HandlerError("echo", "7f3a") if cls is HandlerError else cls("what happened: what to do")


def _over_the_wire(error: EdgefnError, *, retry_after_s: int = 1) -> EdgefnError:
    body = msgspec.json.encode(Problem(**error.as_problem()))
    return error_of(msgspec.json.decode(body, type=Problem), retry_after_s=retry_after_s)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_each_error_of_a_box_keeps_its_class_message_and_exit_code(
    cls: type[EdgefnError], edgefn: Edgefn, box: StandIn
) -> None:
    """What the box raised is what the command fails with: the same words, the same exit code."""
    raised = _made(cls)
    box.problem("GET /admin/functions/echo", **raised.as_problem())
    result = edgefn("status", "echo")
    assert result.code == cls.exit_code
    assert result.stderr.startswith(f"error: {raised}")
    assert result.stdout == b""


def test_what_an_error_carries_beside_its_message_survives_the_wire() -> None:
    """trace, field, available, id and Retry-After come back as they were sent."""
    refused = _over_the_wire(DeploymentRefused("no", trace="Traceback …"))
    assert isinstance(refused, DeploymentRefused)
    assert refused.trace == "Traceback …"
    wrong = _over_the_wire(InputError("too long", field="$.n"))
    assert isinstance(wrong, InputError)
    assert (wrong.field, str(wrong)) == ("$.n", "$.n: too long")
    unfit = _over_the_wire(NotAcceptable("no", available=("image/png",)))
    assert isinstance(unfit, NotAcceptable)
    assert unfit.available == ("image/png",)
    full = _over_the_wire(QueueFull("full"), retry_after_s=7)
    assert isinstance(full, QueueFull)
    assert full.retry_after_s == 7
    crashed = _over_the_wire(HandlerError("echo", "7f3a"))
    assert isinstance(crashed, HandlerError)
    assert crashed.id == "7f3a"


def test_an_error_of_a_class_that_is_not_ours_is_still_an_error(edgefn: Edgefn, box: StandIn) -> None:
    """A newer box may know more errors: its words are told, and the exit code is not 0."""
    box.problem("GET /admin/functions/echo", 418, error="Teapot", detail="short and stout")
    result = edgefn("status", "echo")
    assert (result.code, result.stderr) == (1, "error: short and stout\n")


def test_errors_are_problem_objects_with_json(edgefn: Edgefn, box: StandIn) -> None:
    """With --json stderr carries the problem with its exit code, and stdout stays empty."""
    box.problem("GET /admin/functions/nope", 404, error="FunctionNotFound", detail="no function 'nope'")
    result = edgefn("status", "nope", "--json")
    assert (result.code, result.stdout) == (6, b"")
    assert result.problem["error"] == "FunctionNotFound"
    assert result.problem["detail"] == "no function 'nope'"
    assert (result.problem["status"], result.problem["exit_code"]) == (404, 6)


def test_the_trace_is_shown_only_when_asked_for(edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback of edgefn itself without --debug or EDGEFN_DEBUG=1; with it there is one."""
    monkeypatch.setenv("EDGEFN_DEBUG", "0")
    box.problem("GET /admin/functions", 401, error="Unauthorized", detail="wrong token")
    assert "Traceback" not in edgefn("list").stderr
    assert "Traceback" in edgefn("--debug", "list").stderr
    monkeypatch.setenv("EDGEFN_DEBUG", "1")
    assert "Traceback" in edgefn("list").stderr


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (["fly"], "fly"),
        (["list", "--no-such-option"], "--no-such-option"),
        (["status"], "NAME"),
        (["logs", "echo", "-n", "many"], "--lines"),
    ],
)
def test_a_command_line_that_does_not_parse_is_one_line_and_code_2(line: list[str], says: str, edgefn: Edgefn) -> None:
    """Usage errors name what is wrong and where help is."""
    result = edgefn(*line)
    assert result.code == 2
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    assert says in result.stderr
    assert "--help" in result.stderr


def test_an_option_of_a_box_that_cannot_be_honoured_is_one_line_and_code_2(edgefn: Edgefn) -> None:
    """It names the option and what it takes."""
    result = edgefn("box", "run", "--port", "70000")
    assert result.code == 2
    assert result.stderr.splitlines() == ["error: --port is '70000': give a whole number from 0 to 65535"]


def test_no_box_at_the_address_says_how_to_start_one(edgefn: Edgefn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens on port 1 (RFC 1078, long gone): exit code 5 and the command that starts a box."""
    monkeypatch.setenv("EDGEFN_TOKEN", "x")
    result = edgefn("list", "--box", "http://127.0.0.1:1")
    assert result.code == 5
    assert "http://127.0.0.1:1" in result.stderr
    assert "edgefn box run" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("route", ["GET /admin/functions", "GET /admin/box"])
def test_another_program_at_the_address_is_no_box(route: str, edgefn: Edgefn, box: StandIn) -> None:
    """A web server that happens to listen there is not taken for a box, whatever it answers."""
    verb = ["list"] if route.endswith("functions") else ["box", "info"]
    assert edgefn(*verb).code == 5  # 404, text/plain
    box.json(route, ["not", "an", "object"])
    result = edgefn(*verb)
    assert result.code == 5
    assert "is not an edgefn box" in result.stderr


def test_a_refused_token_says_where_it_came_from(edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 7, and the variable or the file to look at."""
    monkeypatch.setenv("EDGEFN_TOKEN", "stale")
    result = edgefn("list")
    assert result.code == 7
    assert "EDGEFN_TOKEN" in result.stderr


def test_a_failure_of_edgefn_itself_is_one_line(edgefn: Edgefn, box: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug of ours, here where a status is put into words, is told without a traceback."""
    box.json("GET /admin/functions/echo", STATUS)
    monkeypatch.setattr("edgefn_cli.display.wording.memory", lambda status: 1 / 0)
    result = edgefn("status", "echo")
    assert result.code == 1
    assert len(result.stderr.splitlines()) == 1
    assert "EDGEFN_DEBUG=1" in result.stderr


def test_problem_objects_stay_json_for_any_text(edgefn: Edgefn, box: StandIn) -> None:
    """Line ends and quotes in a detail do not break the one line."""
    box.problem("GET /admin/functions", 500, error="HomeError", detail='a "quoted"\nsecond line')
    result = edgefn("list", "--json")
    assert json.loads(result.stderr)["detail"] == 'a "quoted"\nsecond line'
