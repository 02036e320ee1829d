"""The requests of a predecessor's clients that a new revision of a function refuses or answers differently.

Pure: two FunctionSpecs in, sentences out. It reads JSON Schemas as `edgefn.codec.json_schema` writes them; two that it
cannot compare are reported as different.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from edgefn.spec import FunctionSpec, ParameterSpec

Schema = Mapping[str, Any]

_NOTES = frozenset({"title", "description", "default", "examples"})
_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems")
_FILES = ("image", "tensor", "bytes")
_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems")

MAX_COMPARED = 10**6
"""Of two choices among many types each is held against each: over so many pairs it takes longer than a person waits."""


def breaks(before: FunctionSpec, after: FunctionSpec) -> tuple[str, ...]:
    """Return what no longer holds for the clients of `before`, a sentence each; nothing where all of it does."""
    old = {one.name: one for one in before.parameters}
    new = {one.name: one for one in after.parameters}
    found = [f"{name} was removed: requests that give it are refused" for name in old if name not in new]
    for name, parameter in new.items():
        if name not in old:
            if parameter.required:
                found.append(f"{name} is new and has no default: requests without it are refused")
        else:
            found += _changes(old[name], parameter)
    bodies = _bodies(before.parameters, after.parameters), _beside_queries(before.parameters, after.parameters)
    return (*found, *chain(*bodies), *_result(before, after))


def _changes(before: ParameterSpec, after: ParameterSpec) -> Iterator[str]:
    name = before.name
    if after.required and not before.required:
        yield f"{name} lost its default: requests without it are refused"
    if before.kind != after.kind:
        yield f"{name} changed from the kind {before.kind} to the kind {after.kind}"
    elif not _takes(after.schema, before.schema):
        yield f"{name} accepts fewer values than before: its type changed, or its bounds are narrower"
    had, has = before.schema.get("default"), after.schema.get("default")
    if not before.required and not after.required and had != has:
        yield f"the default of {name} changed from {had!r} to {has!r}: requests without it get another answer"


def _bodies(before: Sequence[ParameterSpec], after: Sequence[ParameterSpec]) -> Iterator[str]:
    """Yield the changes for bodies that are the value of one parameter, without its name."""
    value = _principal(before)
    if value is None or not any(one.name == value.name for one in after):
        return
    if (now := _principal(after)) is None or now.name != value.name:
        yield f"a body that is the value of {value.name} alone is refused: give the other parameters a default"
    elif len(before) == 1 < len(after) and value.kind == "value" and _is_open(value.schema):
        names = " or ".join(one.name for one in after)
        yield f"an object with a member {names} is now read as the parameters, not as the value of {value.name}"
    elif len(before) == 1 < len(after) and value.name in _named(value.schema):
        name = value.name
        yield f"an object with a member {name} is now read as the parameters, not as the value of {name}"


def _beside_queries(before: Sequence[ParameterSpec], after: Sequence[ParameterSpec]) -> Iterator[str]:
    """Yield the changes for bodies that are an optional parameter's value; the query gives the others."""
    if len(before) < 2 or {one.name for one in after} <= {one.name for one in before}:
        return
    for one in before:
        if not one.required and (one.kind in _FILES or (one.kind == "value" and _is_structure(one.schema))):
            yield (
                f"a body that is the value of {one.name} alone, with the others in the query, is refused: send it "
                "by name"
            )


def _principal(parameters: Sequence[ParameterSpec]) -> ParameterSpec | None:
    needed = parameters if len(parameters) == 1 else [one for one in parameters if one.required]
    return needed[0] if len(needed) == 1 else None


def _result(before: FunctionSpec, after: FunctionSpec) -> Iterator[str]:
    if before.result.kind != after.result.kind or not _takes(before.result.schema, after.result.schema):
        yield "the type of the result changed"


def _is_open(schema: Schema) -> bool:
    """Tell whether an object with any members is a value of the schema."""
    if any(_is_open(one) for one in schema.get("anyOf", ())):
        return True
    named = schema.keys() - _NOTES
    return not named or ("object" in _types(schema) and "properties" not in schema)


def _named(schema: Schema) -> set[str]:
    """Return the members that an object may have to be a value of the schema."""
    return set(schema.get("properties", ())).union(*(_named(one) for one in schema.get("anyOf", ())))


def _is_structure(schema: Schema) -> bool:
    """Tell whether a value of the schema may be an object or an array."""
    if any(_is_structure(one) for one in schema.get("anyOf", ())):
        return True
    return _is_open(schema) or not _types(schema).isdisjoint(("object", "array"))


def _takes(new: Schema, old: Schema) -> bool:
    """Tell whether `new` accepts what `old` does; not where they are too large to compare and differ."""
    return new == old or (_size(new) * _size(old) <= MAX_COMPARED and accepts(new, old))


def _size(value: object) -> int:
    """Return how many objects and values of lists there are in a schema."""
    below = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    return 1 + sum(map(_size, below))


def accepts(new: Schema, old: Schema) -> bool:
    """Tell whether every value of `old` is surely one of `new`."""
    new, old = _bare(new), _bare(old)
    if not new or new == old:
        return True
    if "anyOf" in old:
        return all(accepts(new, one) for one in old["anyOf"])
    if "anyOf" in new:
        return any(accepts(one, old) for one in new["anyOf"])
    if "enum" in new or "const" in new:
        return _values(old) is not None and set(_values(old) or ()) <= set(_values(new) or ())
    if _values(old) is not None:
        return all(_is_of(value, new) for value in _values(old) or ())
    if not _types(old) <= _types(new) | ({"integer"} if "number" in _types(new) else set()):
        return False
    return _within(new, old) and _items(new, old) and _members(new, old)


def _bare(schema: Schema) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name not in _NOTES}


def _types(schema: Schema) -> set[str]:
    kinds = schema.get("type", ())
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _values(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _is_of(value: Any, schema: Schema) -> bool:
    kinds = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
    kind = kinds.get(type(value), "")
    return accepts(schema, {"type": kind}) and not any(key in schema for key in (*_LEAST, *_MOST, "pattern"))


def _within(new: Schema, old: Schema) -> bool:
    """Tell whether the bounds of `new` are no narrower than those of `old`."""
    least = all(key in old and new[key] <= old[key] for key in _LEAST if new.get(key))
    most = all(key in old and new[key] >= old[key] for key in _MOST if key in new)
    same = all(new[key] == old.get(key) for key in ("pattern", "format", "multipleOf", "contentEncoding") if key in new)
    return least and most and same


def _items(new: Schema, old: Schema) -> bool:
    if len(new.get("prefixItems", ())) != len(old.get("prefixItems", ())):
        return False
    pairs = zip(new.get("prefixItems", ()), old.get("prefixItems", ()), strict=True)
    if not all(accepts(one, other) for one, other in pairs):
        return False
    items, others = new.get("items", {}), old.get("items", {})
    return items == others or (isinstance(items, Mapping) and isinstance(others, Mapping) and accepts(items, others))


def _members(new: Schema, old: Schema) -> bool:
    if "properties" not in new:
        rest, more = new.get("additionalProperties", {}), old.get("additionalProperties", {})
        values = [*old.get("properties", {}).values(), *([more] if isinstance(more, Mapping) else [])]
        return rest is True or (isinstance(rest, Mapping) and all(accepts(rest, one) for one in values))
    if "properties" not in old or not set(new.get("required", ())) <= set(old.get("required", ())):
        return False
    return all(
        name in new["properties"] and accepts(new["properties"][name], one) for name, one in old["properties"].items()
    )
