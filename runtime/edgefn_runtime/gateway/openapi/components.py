"""Where the schemas of one OpenAPI document live: `#/components/schemas`, each under a name of its own.

A function's schemas are complete in themselves: each type that has a name stands in them under its `title`, or in
`$defs`. Generators make a class of each name, once. Two functions may both have a `Label`, and one function may have
two (from two modules), so a type is hoisted as `classify_image.Label`, and as `classify_image.Label.2` where that name
holds something else already.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from typing import Any

from edgefn_runtime.gateway.openapi.dialect import Schema, each_subschema, simplified

_LOCAL = "#/$defs/"
_GLOBAL = "#/components/schemas/"
_UNFIT = re.compile(r"[^A-Za-z0-9._-]")
_ANNOTATIONS = ("default", "examples")
"""Keywords that belong to one use of a type, not to the type. Its title is dropped, too: generators would name
the class by it, and two functions may have the same."""


class Components:
    """The schemas hoisted so far; `schemas` goes into the document."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._origins: dict[str, Schema] = {}

    def hoist(self, schema: Schema, scope: str) -> Schema:
        """Return `schema` with a reference for each type that has a name; the types are named after `scope`."""
        definitions: dict[str, Schema] = schema.get("$defs", {})
        names = self._names(definitions, scope)
        for local, definition in definitions.items():
            self._origins[names[local]] = definition
            self.schemas[names[local]] = _Hoisting(self, scope, names).within(definition, {})
        rest = {word: value for word, value in schema.items() if word != "$defs"}
        return _Hoisting(self, scope, names).hoisted(rest, {})

    def named(self, title: str, schema: Schema, scope: str) -> tuple[str, bool]:
        """Return the component's name of the type `title`, and whether it is new."""
        (name,) = self._names({title: schema}, scope).values()
        new = name not in self._origins
        self._origins[name] = schema
        return name, new

    def _names(self, definitions: dict[str, Schema], scope: str) -> dict[str, str]:
        """Return a component's name for each definition.

        All of one schema move together, since they refer to each other.
        """
        for attempt in itertools.count(1):
            suffix = f".{attempt}" if attempt > 1 else ""
            names = {local: f"{scope}.{_UNFIT.sub('_', local)}{suffix}" for local in definitions}
            if all(self._origins.get(names[at], it) == it for at, it in definitions.items()):
                return names
        raise AssertionError("unreachable")


class _Hoisting:
    """One schema that is being moved into the components. `names` are those of its `$defs`."""

    def __init__(self, components: Components, scope: str, names: dict[str, str]) -> None:
        self._components = components
        self._scope = scope
        self._names = names

    def hoisted(self, schema: Schema, around: Mapping[str, str]) -> Schema:
        """Return `schema`, or a reference where it has a name.

        `around` are the components of the types around it.
        """
        title = schema.get("title")
        if not isinstance(title, str):
            return self.within(schema, around)
        notes = {word: schema[word] for word in _ANNOTATIONS if word in schema}
        bare = {word: value for word, value in schema.items() if word not in (*_ANNOTATIONS, "title")}
        if title in around and bare.keys() == {"type"}:  # a type inside itself
            return {"$ref": _GLOBAL + around[title]} | notes
        name, new = self._components.named(title, bare, self._scope)
        if new:
            self._components.schemas[name] = self.within(bare, {**around, title: name})
        return {"$ref": _GLOBAL + name} | notes

    def within(self, schema: Schema, around: Mapping[str, str]) -> Schema:
        """Return `schema` itself, with references to the types in it."""
        changed = each_subschema(schema, lambda below: self.hoisted(below, around))
        if isinstance(reference := schema.get("$ref"), str):
            changed["$ref"] = self._global(reference)
        if isinstance(mapping := _mapping(schema), dict):
            targets = {tag: self._global(target) for tag, target in mapping.items()}
            changed["discriminator"] = schema["discriminator"] | {"mapping": targets}
        return simplified(changed)

    def _global(self, reference: str) -> str:
        local = reference.removeprefix(_LOCAL)
        return reference if local == reference else _GLOBAL + self._names.get(local, local)


def _mapping(schema: Schema) -> Any:
    discriminator = schema.get("discriminator")
    return discriminator.get("mapping") if isinstance(discriminator, dict) else None
