"""Where the schemas of one OpenAPI document live: `#/components/schemas`, each under a name of its own.

A function's schemas come as msgspec writes them, each with its own `$defs`. Two functions may both have a `Label`, and
one function may have two (from two modules), so a definition is hoisted as `classify_image.Label`, and as
`classify_image.Label.2` where that name holds something else already.
"""

from __future__ import annotations

import itertools
import re
from typing import Any

Schema = dict[str, Any]

_LOCAL = "#/$defs/"
_GLOBAL = "#/components/schemas/"
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")
_DATA = frozenset({"const", "default", "enum", "examples"})
"""Keywords whose values are a user's data: a string in them is never a reference."""


class Components:
    """The schemas hoisted so far; `schemas` is what the document carries."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._origins: dict[str, Schema] = {}

    def hoist(self, schema: Schema, scope: str) -> Schema:
        """`schema` without `$defs`, its references pointing to components named after `scope`."""
        definitions: dict[str, Schema] = schema.get("$defs", {})
        names = self._names(definitions, scope)
        for local, definition in definitions.items():
            self._origins[names[local]] = definition
            self.schemas[names[local]] = _rewritten(definition, names)
        rest = {key: value for key, value in schema.items() if key != "$defs"}
        hoisted: Schema = _rewritten(rest, names)
        return hoisted

    def _names(self, definitions: dict[str, Schema], scope: str) -> dict[str, str]:
        """A component's name for each definition; all of one schema move together, for they refer to each other."""
        for attempt in itertools.count(1):
            suffix = f".{attempt}" if attempt > 1 else ""
            names = {local: f"{scope}.{_UNFIT.sub('_', local)}{suffix}" for local in definitions}
            if all(self._origins.get(names[at], it) == it for at, it in definitions.items()):
                return names
        raise AssertionError("unreachable")


def _rewritten(node: Any, names: dict[str, str]) -> Any:
    if isinstance(node, dict):
        return {key: value if key in _DATA else _rewritten(value, names) for key, value in node.items()}
    if isinstance(node, list):
        return [_rewritten(item, names) for item in node]
    if isinstance(node, str) and node.startswith(_LOCAL):  # a `$ref`, or a `mapping` of a discriminator
        return _GLOBAL + names.get(node.removeprefix(_LOCAL), node.removeprefix(_LOCAL))
    return node
