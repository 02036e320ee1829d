"""The admin API: who may call it, what it takes, what it tells."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from edgefn.api.deployments import StepEvent
from edgefn.api.functions import FunctionStatus
from edgefn.bundle.config import ArtifactEntry
from edgefn.errors import BundleError, DiskFull
from edgefn.spec import FunctionSpec
from edgefn_runtime.artifacts.proof import Proof

if TYPE_CHECKING:
    from tests.runtime.gateway.conftest import Ask, FakeBox

A = "sha256:" + "a" * 64
B = "sha256:" + "b" * 64
ROUTES = [
    ("GET", "/admin/box"),
    ("GET", "/admin/functions"),
    ("GET", "/admin/functions/echo"),
    ("DELETE", "/admin/functions/echo"),
    ("POST", "/admin/functions/echo/deploy"),
    ("POST", "/admin/functions/echo/stop"),
    ("POST", "/admin/functions/echo/rollback"),
    ("GET", "/admin/functions/echo/logs"),
    ("POST", "/admin/blobs/missing"),
    ("PUT", f"/admin/blobs/{A}"),
    ("GET", "/admin/audit"),
    ("GET", "/admin/grants"),
    ("GET", "/admin/secrets"),
    ("PUT", "/admin/secrets/registry"),
    ("DELETE", "/admin/secrets/registry"),
    ("POST", "/admin/functions/echo/grants"),
    ("POST", "/admin/functions/echo/grants/revoke"),
    ("GET", "/admin/no/such/route"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Bearer "},
        {"authorization": "Basic a-token-of-a-box"},
        {"authorization": "Bearer a-token-of-a-boxx"},
    ],
)
def test_nothing_without_the_token(ask: Ask, box: FakeBox, method: str, path: str, headers: dict[str, str]) -> None:
    """Every route of the admin API, those that are not there too, answers 401 and does nothing."""
    answer = ask(method, path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.json()["error"] == "Unauthorized"
    assert "echo" in box.deployments.revisions


def test_the_scheme_is_read_in_any_case(ask: Ask) -> None:
    """RFC 9110: authentication schemes are case-insensitive."""
    assert ask("GET", "/admin/box", headers={"authorization": "bearer a-token-of-a-box"}).status_code == 200


def test_box_tells_about_itself(ask: Ask) -> None:
    """GET /admin/box is what the box says."""
    found = ask("GET", "/admin/box").json()
    assert (found["name"], found["version"], found["tls"], found["refused"]) == ("test", "0.1.0", None, [])


def test_a_status_has_the_processes_and_the_revisions(ask: Ask, box: FakeBox) -> None:
    """FunctionStatus is what the OpenAPI document says, also where the supervisor knows only that it failed."""
    entry = ArtifactEntry("net", "portable/fp32", "onnxruntime")
    box.have(FunctionSpec("digits", "digits:digits"), artifacts=[entry], state="failed")
    proof = box.folder / entry.path / "proof.json"
    proof.parent.mkdir(parents=True)
    found = Proof("net", "portable/fp32", "onnxruntime", passed=True, max_error=1e-06, top1=1.0)
    proof.write_bytes(msgspec.json.encode(found))
    status = ask("GET", "/admin/functions/digits").json()
    assert status.keys() == {field.encode_name for field in msgspec.structs.fields(FunctionStatus)}
    assert status["state"] == "failed"
    assert status["number"] == 2
    assert status["revision"] == "sha256:" + "2" * 64
    assert status["artifacts"] == [
        {
            "model": "net",
            "target": "portable/fp32",
            "backend": "onnxruntime",
            "passed": True,
            "verdict": "",
            "error": None,
            "max_error": 1e-06,
            "top1": 1.0,
            "answers": "",
        }
    ]
    assert [past["number"] for past in status["history"]] == [2, 1]
    assert status["spec"]["name"] == "digits"
    assert status["instances"] == []
    assert status["template"] is None
    assert {status["name"] for status in ask("GET", "/admin/functions").json()["functions"]} == {
        "echo",
        "digits",
    }


def test_a_status_without_its_finished_artifacts_is_still_told(ask: Ask, box: FakeBox) -> None:
    """`finished` is a cache that may be deleted at any time."""
    entry = ArtifactEntry("net", "portable/fp32", "onnxruntime")
    box.have(FunctionSpec("digits", "digits:digits"), artifacts=[entry])
    assert ask("GET", "/admin/functions/digits").json()["artifacts"][0]["max_error"] is None


@pytest.mark.parametrize("name", ["nothing", "Not-A-Name", "%2e%2e", "a" * 300, "%0a"])
@pytest.mark.parametrize(
    ("method", "route"), [("GET", ""), ("DELETE", ""), ("POST", "/stop"), ("POST", "/rollback"), ("GET", "/logs")]
)
def test_an_unknown_function_is_404(ask: Ask, method: str, route: str, name: str) -> None:
    """Whatever is asked of it, and whatever it is called."""
    answer = ask(method, f"/admin/functions/{name}{route}")
    assert answer.status_code == 404
    assert answer.json()["status"] == 404


def test_stop_answers_with_the_status_after_it(ask: Ask, box: FakeBox) -> None:
    """No process is left, the function is still deployed."""
    box.supervisor.running["echo"] = "serving"
    assert ask("POST", "/admin/functions/echo/stop").json()["state"] == "idle"


def test_removal_takes_logs_and_metrics_with_it(ask: Ask, box: FakeBox) -> None:
    """After 204 nothing of the box names the function."""
    box.logs.write("echo", "hello")
    box.metrics.invocation("echo").observe("ok", 0.1, True)
    assert ask("DELETE", "/admin/functions/echo").status_code == 204
    del box.supervisor.running["echo"]
    assert ask("DELETE", "/admin/functions/echo").status_code == 404
    assert not box.logs.known("echo")
    assert "echo" not in ask("GET", "/metrics").text


def test_rollback_takes_a_number_or_the_one_before(ask: Ask) -> None:
    """An empty body means the revision before; the answer says what serves now."""
    assert ask("POST", "/admin/functions/echo/rollback").json() == {
        "function": "echo",
        "revision": "sha256:" + "1" * 64,
        "number": 1,
    }
    assert ask("POST", "/admin/functions/echo/rollback", json={"number": 2}).json()["number"] == 2


def test_only_missing_blobs_are_asked_for(ask: Ask, box: FakeBox) -> None:
    """What the box has is not sent again."""
    box.deployments.blobs[A] = b""
    assert ask("POST", "/admin/blobs/missing", json={"digests": [A, B]}).json() == {"missing": [B]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"digests": [A, "sha256:zz"]}, "digests[1]"),
        ({"digests": [A + "\n"]}, "digests[0]"),
        ({"digests": "x"}, "digests"),
        ({}, "digests"),
        ({"digests": [], "force": True}, "force"),
    ],
)
def test_json_that_does_not_fit_names_the_field(ask: Ask, body: dict[str, Any], field: str) -> None:
    """400, and the problem says which member is wrong."""
    answer = ask("POST", "/admin/blobs/missing", json=body)
    assert answer.status_code == 400
    assert answer.json()["error"] == "InputError"
    assert answer.json()["field"] == field


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[" * 60_000, b"null", b'"x"'])
def test_what_is_not_json_is_400(ask: Ask, body: bytes) -> None:
    """Neither garbage nor a tower of brackets is more than a caller's mistake."""
    assert ask("POST", "/admin/blobs/missing", content=body).status_code == 400


def test_a_json_body_has_a_limit(ask: Ask) -> None:
    """64 KiB, whatever it holds."""
    answer = ask("POST", "/admin/blobs/missing", content=b" " * 65_537)
    assert answer.status_code == 413
    assert answer.json()["error"] == "BodyTooLarge"


def test_a_blob_is_streamed_to_the_store(ask: Ask, box: FakeBox) -> None:
    """201, with the very bytes."""
    body = bytes(range(256)) * 1000
    assert ask("PUT", f"/admin/blobs/{A}", content=body).status_code == 201
    assert box.deployments.blobs == {A: body}


def test_a_blob_without_its_length_is_411(ask: Ask) -> None:
    """The store must know beforehand whether there is room."""

    async def body() -> Any:
        yield b"chunk"

    answer = ask("PUT", f"/admin/blobs/{A}", content=body())
    assert answer.status_code == 411
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(("error", "status"), [(DiskFull("no room"), 507), (BundleError("another hash"), 400)])
def test_a_blob_that_the_store_refuses(ask: Ask, box: FakeBox, error: Exception, status: int) -> None:
    """The store's reason is the answer."""
    box.deployments.ingest_error = error
    answer = ask("PUT", f"/admin/blobs/{A}", content=b"x")
    assert (answer.status_code, answer.json()["detail"]) == (status, str(error))


def test_a_blob_is_named_by_its_digest(ask: Ask) -> None:
    """Anything else in the path is a caller's mistake."""
    answer = ask("PUT", "/admin/blobs/latest", content=b"x")
    assert (answer.status_code, answer.json()["field"]) == (400, "digest")


def test_logs_are_the_last_lines(ask: Ask, box: FakeBox) -> None:
    """As many as asked for, 100 unless said."""
    for number in range(150):
        box.logs.write("echo", f"line {number}")
    assert len(ask("GET", "/admin/functions/echo/logs").text.splitlines()) == 100
    answer = ask("GET", "/admin/functions/echo/logs?lines=2")
    assert [line.split(" ", 4)[4] for line in answer.text.splitlines()] == ["line 148", "line 149"]
    assert answer.headers["content-type"].startswith("text/plain")


def test_a_function_whose_first_deployment_failed_has_logs(ask: Ask, box: FakeBox) -> None:
    """The trace is there to read although nothing of that name is deployed."""
    box.logs.write("broken", "Traceback", stream="box")
    assert "Traceback" in ask("GET", "/admin/functions/broken/logs").text


@pytest.mark.parametrize(
    ("query", "field"), [("lines=-1", "lines"), ("lines=x", "lines"), ("lines=10001", "lines"), ("follow=2", "follow")]
)
def test_a_wrong_query_names_its_parameter(ask: Ask, query: str, field: str) -> None:
    """400, never a guess."""
    answer = ask("GET", f"/admin/functions/echo/logs?{query}")
    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_an_error_before_the_first_event_is_an_answer(ask: Ask, box: FakeBox) -> None:
    """A deployment that cannot begin has a status of its own."""
    box.deployments.script = [BundleError("no such manifest")]
    answer = ask("POST", "/admin/functions/echo/deploy", json={"manifest": A})
    assert (answer.status_code, answer.json()["error"]) == (400, "BundleError")


def test_an_error_after_the_first_event_is_the_last_line(ask: Ask, box: FakeBox) -> None:
    """The status is sent by then; the line has the members of the problem and the exit code."""
    box.deployments.script = [StepEvent("verify", 0, 1), BundleError("corrupt")]
    answer = ask("POST", "/admin/functions/echo/deploy", json={"manifest": A})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert lines[0] == {"event": "step", "name": "verify", "done": 0, "total": 1, "detail": ""}
    assert (lines[1]["event"], lines[1]["error"], lines[1]["exit_code"]) == ("error", "BundleError", 3)


def test_a_deployment_of_a_name_that_is_none_is_400(ask: Ask) -> None:
    """There is no function to be missing: the name itself is wrong."""
    answer = ask("POST", "/admin/functions/Not-A-Name/deploy", json={"manifest": A})
    assert (answer.status_code, answer.json()["field"]) == (400, "name")


@pytest.mark.parametrize("path", ["box", "functions", "functions/echo", "functions/echo/explain", "token"])
def test_a_head_is_open_to_whom_the_page_is(ask: Ask, box: FakeBox, path: str) -> None:
    """HEAD is GET without the body (RFC 9110, 9.3.2)."""
    value = asyncio.run(box.doors.tokens.create("eye", ["status"], None))[1]
    headers = {"authorization": f"Bearer {value}"}
    for method in ("GET", "HEAD"):
        assert ask(method, f"/admin/{path}", headers=headers).status_code == 200
        assert ask(method, "/admin/functions/echo/logs", headers=headers).status_code == 403
