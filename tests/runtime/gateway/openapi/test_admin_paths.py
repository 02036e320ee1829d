"""The admin API in the OpenAPI document is what `edgefn.api` says, word for word."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from edgefn.api import routes
from edgefn.api.routes import AdminRoute
from edgefn_runtime.gateway.openapi.admin_paths import described

JSON_ROUTES = [route for route in routes.ROUTES if route.answer not in (None, str)]
TAKING = [route for route in routes.ROUTES if route.takes not in (None, bytes)]


def _operation(route: AdminRoute[Any]) -> dict[str, Any]:
    operation: dict[str, Any] = described().paths[f"/admin{route.path}"][route.method.lower()]
    return operation


def _refers_to(schema: dict[str, Any], kind: type[msgspec.Struct]) -> bool:
    members = described().schemas[kind.__name__]["properties"].keys()
    tag = kind.__struct_config__.tag_field
    names = {field.encode_name for field in msgspec.structs.fields(kind)} | ({tag} if tag else set())
    return bool(schema == {"$ref": f"#/components/schemas/{kind.__name__}"} and members == names)


@pytest.mark.parametrize("route", JSON_ROUTES, ids=lambda route: route.id)
def test_the_schema_of_an_answer_is_its_structs(route: AdminRoute[Any]) -> None:
    """By name and member by member; of a stream, that of one line."""
    (schema,) = (one["schema"] for one in _operation(route)["responses"][str(route.status)]["content"].values())
    kinds = get_args(route.answer) or (route.answer,)
    schemas = schema["anyOf"] if len(kinds) > 1 else [schema]
    assert [_refers_to(one, kind) for one, kind in zip(schemas, kinds, strict=True)] == [True] * len(kinds)


@pytest.mark.parametrize("route", TAKING, ids=lambda route: route.id)
def test_the_schema_of_a_body_is_its_structs(route: AdminRoute[Any]) -> None:
    """A body is required where a member of it is."""
    assert route.takes is not None
    body = _operation(route)["requestBody"]
    assert _refers_to(body["content"][routes.JSON]["schema"], route.takes)
    assert body["required"] == any(field.required for field in msgspec.structs.fields(route.takes))


def test_what_an_answer_always_has_is_required() -> None:
    """A default is for a reader of an older box's answer; what is unset, or omitted, may be missing."""
    schemas = described().schemas
    assert set(schemas["BoxInfo"]["required"]) == schemas["BoxInfo"]["properties"].keys()
    assert "private_bytes" not in schemas["InstanceInfo"]["required"]
    assert schemas["AuditRecord"]["required"] == []
    assert schemas["GrantRequest"]["required"] == ["kind"]
    assert not [name for name, one in schemas.items() for word in one["properties"].values() if word == {}]
