"""What msgspec's description of a type says of objects: which members it takes, and what lies below it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import inspect

_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")

ANY = frozenset({"*"})
"""Of a type that takes an object with any members."""

OBJECTS = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType)
_NAMED = (*OBJECTS, inspect.NamedTupleType)
ITEMS = (
    inspect.ListType,
    inspect.SetType,
    inspect.FrozenSetType,
    inspect.VarTupleType,
    inspect.CollectionType,
)


def taken(info: inspect.Type) -> frozenset[str]:
    """Return the members that an object may have to be of the type; empty where no object is, ANY for all."""
    if isinstance(info, inspect.Metadata):
        return taken(info.type)
    if isinstance(info, inspect.UnionType):
        found = [taken(one) for one in info.types]
        return ANY if ANY in found else frozenset().union(*found)
    if isinstance(info, inspect.AnyType | inspect.RawType | inspect.DictType):
        return ANY
    if isinstance(info, OBJECTS):
        tag = getattr(info, "tag_field", None)
        named = frozenset() if getattr(info, "array_like", False) else {field.encode_name for field in info.fields}
        return frozenset(named) | ({tag} if tag else set())
    return frozenset()


def fields(info: inspect.Type) -> dict[str, inspect.Field]:
    """Return the members of an object type by their names in JSON; empty for any other."""
    if isinstance(info, inspect.Metadata):
        return fields(info.type)
    if isinstance(info, inspect.UnionType):
        return {name: field for one in info.types for name, field in fields(one).items()}
    return {field.encode_name: field for field in info.fields} if isinstance(info, OBJECTS) else {}


def parts(info: inspect.Type) -> Iterator[inspect.Type]:
    """Yield the types directly below `info`: of its members, items, keys and values, and those that it is one of."""
    if isinstance(info, inspect.Metadata):
        yield info.type
    elif isinstance(info, inspect.UnionType):
        yield from info.types
    elif isinstance(info, ITEMS):
        yield info.item_type
    elif isinstance(info, inspect.TupleType):
        yield from info.item_types
    elif isinstance(info, inspect.DictType):
        yield info.value_type
    elif isinstance(info, (*OBJECTS, inspect.NamedTupleType)):
        yield from (field.type for field in info.fields)


def holds(info: inspect.Type, *kinds: type) -> bool:
    """Tell whether a value of `info` may itself be one of `kinds`."""
    if isinstance(info, inspect.Metadata):
        return holds(info.type, *kinds)
    if isinstance(info, inspect.UnionType):
        return any(holds(one, *kinds) for one in info.types)
    return isinstance(info, kinds)


def item(info: inspect.Type, number: int) -> inspect.Type:
    """Return the type of an array's item; that of anything where `info` is no array."""
    if isinstance(info, inspect.Metadata):
        return item(info.type, number)
    if isinstance(info, inspect.UnionType):
        found = [one for part in info.types if not isinstance(one := item(part, number), inspect.AnyType)]
        return found[0] if found else inspect.AnyType()
    if isinstance(info, ITEMS):
        return info.item_type
    listed: Sequence[inspect.Type] = ()
    if isinstance(info, inspect.TupleType):
        listed = info.item_types
    elif isinstance(info, inspect.NamedTupleType) or (isinstance(info, inspect.StructType) and info.array_like):
        listed = [field.type for field in info.fields]
    return listed[number] if number < len(listed) else inspect.AnyType()


def member(info: inspect.Type, name: str) -> inspect.Type:
    """Return the type of an object's member; that of anything where `info` does not have it."""
    if isinstance(info, inspect.Metadata):
        return member(info.type, name)
    if isinstance(info, inspect.UnionType):
        found = [one for part in info.types if not isinstance(one := member(part, name), inspect.AnyType)]
        return found[0] if found else inspect.AnyType()
    if isinstance(info, inspect.DictType):
        return info.value_type
    field = fields(info).get(name)
    return inspect.AnyType() if field is None else field.type


def at(info: inspect.Type, path: str) -> inspect.Type:
    """Return the type of what lies at a path as msgspec writes it, e.g. `.boxes[2].label`."""
    for step in steps(path):
        info = item(info, step) if isinstance(step, int) else member(info, step)
    return info


def steps(path: str) -> list[str | int]:
    """Return the members and items that a path as msgspec writes it leads through; `[...]` is any item."""
    found = _STEP.findall(path)
    return [name if name else int(number) if number.isdigit() else 0 for name, number in found]


def contains(info: inspect.Type, *kinds: type) -> bool:
    """Tell whether `info`, or a type anywhere below it, is one of `kinds`."""
    seen: set[Any] = set()

    def found(one: inspect.Type) -> bool:
        if isinstance(one, kinds):
            return True
        if isinstance(one, _NAMED):
            if one.cls in seen:
                return False
            seen.add(one.cls)
        return any(found(part) for part in parts(one))

    return found(info)


def ignores_unknown(info: inspect.Type) -> bool:
    """Tell whether msgspec would ignore a member somewhere in a value of the type."""
    return any(not getattr(one, "forbid_unknown_fields", False) for one in _objects(info))


def _objects(info: inspect.Type) -> list[inspect.Type]:
    """The object types in `info` and below it, each once."""
    found: dict[Any, inspect.Type] = {}

    def look(one: inspect.Type) -> None:
        key = getattr(one, "cls", None)
        if isinstance(one, _NAMED):
            if key in found:
                return
            found[key] = one
        for part in parts(one):
            look(part)

    look(info)
    return [one for one in found.values() if isinstance(one, OBJECTS)]
