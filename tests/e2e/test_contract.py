"""The admin API of a real box, route by route: its JSON is that of the structs of `edgefn.api`, no more and no less."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import jsonschema
import msgspec
import pytest

from edgefn.api import routes
from edgefn.api.problems import Problem
from edgefn.api.routes import AdminRoute
from edgefn.bundle.oci.layout import Bundle
from edgefn_runtime.gateway.openapi.admin_paths import described
from tests.e2e.box import RunningBox
from tests.e2e.bundles import Bundles

NAME = {"name": "linear"}


def _is_exact(text: str, kind: Any) -> None:
    """Read strictly: a member that the struct lacks, or has and the box does not tell, changes the JSON."""
    assert json.loads(msgspec.json.encode(msgspec.json.decode(text, type=kind))) == json.loads(text), text


def _fits(text: str, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema | {"components": {"schemas": described().schemas}}).validate(
        json.loads(text)
    )


class _Asking:
    """Asks routes, holds each answer against its struct and its schema, and knows which were asked."""

    def __init__(self, box: RunningBox) -> None:
        self._box = box
        self.asked: set[str] = set()

    def __call__(self, route: AdminRoute[Any], names: dict[str, str] | None = None, **options: Any) -> httpx.Response:
        answer = self._box.admin(route.method, route.at(**names or {}).removeprefix("/"), **options)
        assert answer.status_code == route.status, answer.text
        self.asked.add(route.id)
        texts = answer.text.splitlines() if route.media == routes.LINES else [answer.text]
        if route.answer is None:
            assert answer.content == b""
        elif route.media != routes.TEXT:
            operation = described().paths[f"/admin{route.path}"][route.method.lower()]
            schema = operation["responses"][str(route.status)]["content"][route.media]["schema"]
            for text in texts:
                _is_exact(text, route.answer)
                _fits(text, schema)
        return answer


def test_every_route_answers_as_its_struct_says(new_box: Callable[[], RunningBox], bundles: Bundles) -> None:
    """On a box with a function that runs and one that is granted something; each route, each kind of event."""
    box = new_box()
    ask = _Asking(box)

    def ship(bundle: Bundle) -> list[str]:
        for digest in ask(routes.MISSING, json={"digests": [blob.digest for blob in bundle.blobs()]}).json()["missing"]:
            ask(routes.UPLOAD, {"digest": digest}, content=bundle.blob_path(digest).read_bytes())
        name = bundle.config.function.name
        told = ask(routes.DEPLOY, {"name": name}, json={"manifest": bundle.manifest_digest})
        return [json.loads(line)["event"] for line in told.text.splitlines()]

    assert ship(bundles.of("linear"))[-1] == "deployed"
    assert ship(bundles.with_code("linear", "import a_module_of_nobody\n", title="contract"))[-1] == "error"
    ask(routes.FUNCTION_GRANTS, {"name": "rings"})
    ask(routes.ALLOW, {"name": "rings"}, json={"kind": "device", "value": "/dev/null"})
    box.call("linear", x=[1, 2, 3, 4])
    box.template_of("linear")
    for route in (routes.BOX, routes.FUNCTIONS, routes.CALLER, routes.TOKENS, routes.GRANTS, routes.SECRETS):
        ask(route)
    for one in (routes.FUNCTION, routes.EXPLAIN, routes.LOGS, routes.STOP):
        ask(one, NAME)
    assert ship(bundles.of("linear"))[-1] == "deployed"
    ask(routes.ROLLBACK, NAME, json={"number": 1})
    ask(routes.REVOKE, {"name": "rings"}, json={"kind": "device", "value": "/dev/null"})
    ask(routes.CREATE_TOKEN, json={"name": "eye", "scopes": ["status"], "rate": 2})
    ask(routes.ROTATE_TOKEN, {"token": "eye"})
    ask(routes.TOKENS)
    ask(routes.REVOKE_TOKEN, {"token": "eye"})
    ask(routes.SET_SECRET, {"name": "key"}, content=b"x")
    ask(routes.SECRETS)
    ask(routes.REMOVE_SECRET, {"name": "key"})
    ask(routes.AUDIT)
    ask(routes.REMOVE, NAME)
    assert ask.asked == {route.id for route in routes.ROUTES}


@pytest.mark.parametrize(
    ("method", "path", "options"),
    [
        ("GET", "functions/nothing", {}),
        ("GET", "no/such/route", {}),
        ("PATCH", "box", {}),
        ("POST", "blobs/missing", {"json": {"digests": "x"}}),
        ("PUT", "blobs/latest", {"content": b"x"}),
        ("GET", "box", {"headers": {"authorization": "Bearer wrong"}}),
    ],
)
def test_every_refusal_is_a_problem(box: RunningBox, method: str, path: str, options: dict[str, Any]) -> None:
    """Its members are those of the struct, and it fits its schema."""
    answer = box.admin(method, path, **options)
    assert answer.status_code >= 400
    _is_exact(answer.text, Problem)
    _fits(answer.text, {"$ref": "#/components/schemas/Problem"})
