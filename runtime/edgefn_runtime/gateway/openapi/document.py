"""The OpenAPI 3.1 document of a box: each function from its type hints, then the fixed routes.

Pure: functions in, a document out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgefn.spec import FunctionSpec
from edgefn_runtime.gateway.openapi import reference
from edgefn_runtime.gateway.openapi.components import Components
from edgefn_runtime.gateway.openapi.operations import DocumentedFunction, path_item


def document(
    functions: Iterable[DocumentedFunction | FunctionSpec], version: str, url: str = "/", *, asks_callers: bool = False
) -> dict[str, Any]:
    """Return the document of a box that serves `functions`, of edgefn `version`, reached at `url`.

    With `asks_callers` each call wants a token.
    """
    components = Components()
    known = [one if isinstance(one, DocumentedFunction) else DocumentedFunction(one) for one in functions]
    paths = {f"/fn/{function.spec.name}": path_item(function, components) for function in known}
    return {
        "openapi": "3.1.0",
        "info": {"title": "edgefn box", "version": version},
        "servers": [{"url": url}],
        **({"security": [{"token": []}]} if asks_callers else {}),
        "tags": [*(function.tag for function in known), *reference.TAGS],
        "paths": paths | reference.PATHS,
        "components": {
            "schemas": components.schemas | reference.SCHEMAS,
            "responses": reference.RESPONSES,
            "headers": reference.HEADERS,
            "parameters": reference.PARAMETERS,
            "securitySchemes": reference.SECURITY_SCHEMES,
        },
    }
