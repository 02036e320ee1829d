"""Everything that needs no token: health, figures, the list of functions, and what is not there."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from edgefn.spec import FunctionSpec
from edgefn_runtime.gateway.app import site
from edgefn_runtime.gateway.openapi import document, kept
from edgefn_runtime.gateway.openapi.operations import DocumentedFunction
from tests.runtime.gateway.conftest import FakeRevision

if TYPE_CHECKING:
    from starlette.types import Message

    from tests.runtime.gateway.conftest import Ask, FakeBox

PUBLIC = ["/", "/fn", "/healthz", "/readyz", "/metrics", "/openapi.json"]


@pytest.mark.parametrize("path", PUBLIC)
def test_looking_needs_no_token_and_wakes_nothing(ask: Ask, box: FakeBox, path: str) -> None:
    """Each answers 200 to anybody, and the functions are as they were."""
    box.have(FunctionSpec("digits", "digits:digits"), state="idle")
    assert ask("GET", path, headers={}).status_code == 200
    assert ask("HEAD", path, headers={}).status_code == 200
    assert {status.state for status in box.supervisor.statuses()} == {"idle"}


def test_the_root_leads_to_the_rest(ask: Ask) -> None:
    """Every link of the first page works."""
    root = ask("GET", "/").json()
    assert root["name"] == "edgefn"
    assert all(ask("GET", path).status_code == 200 for path in root["links"].values())


def test_the_functions_are_listed_by_name(ask: Ask, box: FakeBox) -> None:
    """Sorted, deployed ones only."""
    box.have(FunctionSpec("a_function", "a:b"))
    assert ask("GET", "/fn").json() == {"functions": ["a_function", "echo"]}


def test_readiness_says_why_not(ask: Ask, box: FakeBox) -> None:
    """503 with the reason and Retry-After while it drains; liveness is another question."""
    box.reason = "it is draining"
    answer = ask("GET", "/readyz")
    assert answer.status_code == 503
    assert "it is draining" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) >= 1
    assert ask("GET", "/healthz").status_code == 200


def test_ready_stays_true_while_another_function_loads_or_fails(ask: Ask, box: FakeBox) -> None:
    """Readiness is the box's, not any function's (Triton#7014)."""
    box.have(FunctionSpec("loading", "a:b"), state="starting")
    box.have(FunctionSpec("broken", "a:b"), state="failed")
    assert ask("GET", "/readyz").status_code == 200


def test_metrics_in_the_form_that_is_asked_for(ask: Ask) -> None:
    """Prometheus text, or OpenMetrics."""
    answer = ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "edgefn_queue_depth" in {family.name for family in parse(answer.text)}
    answer = ask("GET", "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_what_is_not_there_is_a_problem(ask: Ask) -> None:
    """404 and 405 say what was asked for, as problem+json."""
    answer = ask("GET", "/nothing/here")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "/nothing/here" in answer.json()["detail"]
    answer = ask("POST", "/healthz")
    assert (answer.status_code, set(answer.headers["allow"].split(", "))) == (405, {"GET", "HEAD"})


@pytest.mark.parametrize("path", [*PUBLIC, "/admin/box", "/admin/functions/echo", "/admin/functions/echo/deploy"])
def test_a_method_that_is_not_taken_is_a_problem(ask: Ask, path: str) -> None:
    """405 says on every path what it takes, in Allow and in a body that can be read."""
    for method in ("PATCH", "OPTIONS", "TRACE", "PUT"):
        answer = ask(method, path)
        assert (answer.status_code, answer.headers["content-type"]) == (405, "application/problem+json")
        problem = answer.json()
        assert problem["status"] == 405
        assert all(one in problem["detail"] for one in (path, method, answer.headers["allow"]))


def test_the_document_is_made_once_for_a_revision(ask: Ask, box: FakeBox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads it gets the same bytes but for the box's address; a new revision makes its own part anew."""
    made = []

    def part(function: DocumentedFunction) -> document.Part:
        made.append(function.spec.name)
        return document.part(function)

    monkeypatch.setattr(kept, "part", part)
    app, documents = site(box), []

    async def read(host: str) -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
            documents.append((await client.get("/openapi.json")).json())

    box.have(FunctionSpec("other", "a:b"))
    for host in ("one.example", "two.example", "one.example"):
        asyncio.run(read(host))
    assert sorted(made) == ["echo", "other"]
    assert [one["servers"][0]["url"] for one in documents] == [
        *("http://one.example", "http://two.example", "http://one.example")
    ]
    assert documents[0]["paths"] == documents[1]["paths"]
    box.deployments.revisions["other"].append(FakeRevision(box.deployments.revisions["other"][0].config, box.folder, 3))
    asyncio.run(read("one.example"))
    assert sorted(made) == ["echo", "other", "other"]
    assert documents[-1]["paths"]["/fn/other"]["x-revision"]["number"] == 3


def test_a_fault_of_the_box_is_told_in_brief_and_logged_in_full(
    ask: Ask, box: FakeBox, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with an id; the trace stands in the box's log under it, once."""

    def broken() -> str:
        raise RuntimeError("inside of the box")

    monkeypatch.setattr(box, "unready", broken)
    with caplog.at_level(logging.ERROR):
        answer = ask("GET", "/readyz")
    assert answer.status_code == 500
    assert "inside" not in answer.text
    assert [record.getMessage() for record in caplog.records] == [f"internal error {answer.json()['id']}"]


def test_a_websocket_is_refused_and_a_lifespan_acknowledged() -> None:
    """Neither reaches a route, and neither makes the server log a fault."""
    from edgefn_runtime.gateway.app import acknowledge_lifespan, refuse_websocket

    async def said(app: str, *received: str) -> list[str]:
        messages: list[Message] = [{"type": name} for name in received]
        sent: list[Message] = []

        async def receive() -> Message:
            return messages.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        await {"websocket": refuse_websocket, "lifespan": acknowledge_lifespan}[app](receive, send)
        return [message["type"] for message in sent]

    assert asyncio.run(said("websocket", "websocket.connect")) == ["websocket.close"]
    assert asyncio.run(said("lifespan", "lifespan.startup", "lifespan.shutdown")) == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
