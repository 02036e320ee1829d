"""The OpenAPI 3.1 document of a box: each function from its type hints, then the fixed routes.

Pure: FunctionSpecs in, a document out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgefn.spec import FunctionSpec
from edgefn_runtime.gateway import reference
from edgefn_runtime.gateway.components import Components
from edgefn_runtime.gateway.operations import path_item


def document(functions: Iterable[FunctionSpec], version: str) -> dict[str, Any]:
    """The document of a box that serves `functions`, of edgefn `version`."""
    components = Components()
    paths = {f"/fn/{spec.name}": path_item(spec, components) for spec in functions}
    return {
        "openapi": "3.1.0",
        "info": {"title": "edgefn box", "version": version},
        "tags": reference.TAGS,
        "paths": paths | reference.PATHS,
        "components": {
            "schemas": components.schemas | reference.SCHEMAS,
            "responses": reference.RESPONSES,
            "headers": reference.HEADERS,
            "parameters": reference.PARAMETERS,
            "securitySchemes": reference.SECURITY_SCHEMES,
        },
    }
