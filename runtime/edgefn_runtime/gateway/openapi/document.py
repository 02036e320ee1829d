"""The OpenAPI 3.1 document of a box: each function from its type hints, then the fixed routes.

Pure: functions in, a document out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from edgefn.spec import FunctionSpec
from edgefn_runtime.gateway.openapi import admin_paths, reference
from edgefn_runtime.gateway.openapi.components import Components
from edgefn_runtime.gateway.openapi.dialect import Schema
from edgefn_runtime.gateway.openapi.operations import DocumentedFunction, path_item


class Part(NamedTuple):
    """The part of the document about one function."""

    spec: FunctionSpec
    tag: Schema
    item: Schema
    schemas: dict[str, Schema]


def part(function: DocumentedFunction | FunctionSpec) -> Part:
    """Return a function's part of the document; its schemas are named after it, so it depends on no other."""
    known = function if isinstance(function, DocumentedFunction) else DocumentedFunction(function)
    components = Components()
    return Part(known.spec, known.tag, path_item(known, components), components.schemas)


def document(
    functions: Iterable[Part | DocumentedFunction | FunctionSpec],
    version: str,
    url: str = "/",
    *,
    asks_callers: bool = False,
) -> dict[str, Any]:
    """Return the document of a box that serves `functions`, of edgefn `version`, reached at `url`.

    With `asks_callers` each call wants a token.
    """
    admin = admin_paths.described()
    parts = [one if isinstance(one, Part) else part(one) for one in functions]
    paths = {f"/fn/{one.spec.name}": one.item for one in parts}
    schemas = {name: schema for one in parts for name, schema in one.schemas.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "edgefn box", "version": version},
        "servers": [{"url": url}],
        **({"security": [{"token": []}]} if asks_callers else {}),
        "tags": [*(one.tag for one in parts), *reference.TAGS],
        "paths": paths | reference.PATHS | admin.paths,
        "components": {
            "schemas": schemas | admin.schemas,
            "responses": reference.RESPONSES,
            "headers": reference.HEADERS,
            "parameters": reference.PARAMETERS,
            "securitySchemes": reference.SECURITY_SCHEMES,
        },
    }
