"""What msgspec's description of a type says of objects: which members it takes, and what lies below it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

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
    elif isinstance(info, _NAMED):
        yield from (field.type for field in info.fields)


def holds(info: inspect.Type, *kinds: type) -> bool:
    """Tell whether a value of `info` may itself be one of `kinds`."""
    if isinstance(info, inspect.Metadata):
        return holds(info.type, *kinds)
    if isinstance(info, inspect.UnionType):
        return any(holds(one, *kinds) for one in info.types)
    return isinstance(info, kinds)


def is_text(info: inspect.Type) -> bool:
    """Tell whether a value of `info` is a text, or none."""
    if isinstance(info, inspect.Metadata):
        return is_text(info.type)
    if isinstance(info, inspect.UnionType):
        return all(is_text(one) or isinstance(one, inspect.NoneType) for one in info.types)
    return isinstance(info, inspect.StrType)


def item(info: inspect.Type, number: int) -> inspect.Type:
    """Return the type of an array's item; that of anything where `info` is no array."""
    if isinstance(info, inspect.Metadata):
        return item(info.type, number)
    if isinstance(info, inspect.UnionType):
        return _known(item(one, number) for one in info.types)
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
        return _known(member(one, name) for one in info.types)
    if isinstance(info, inspect.DictType):
        return info.value_type
    field = fields(info).get(name)
    return inspect.AnyType() if field is None else field.type


def key(info: inspect.Type) -> inspect.Type:
    """Return the type of a dict's names; that of anything where `info` is no dict."""
    if isinstance(info, inspect.Metadata):
        return key(info.type)
    if isinstance(info, inspect.UnionType):
        return _known(map(key, info.types))
    return info.key_type if isinstance(info, inspect.DictType) else inspect.AnyType()


def _known(types: Iterable[inspect.Type]) -> inspect.Type:
    """Return the first of `types` that restricts the value; the type of any value where none does."""
    return next((one for one in types if not isinstance(one, inspect.AnyType)), inspect.AnyType())


def at(info: inspect.Type, path: str) -> inspect.Type:
    """Return the type of what lies at a path as msgspec writes it, e.g. `.boxes[2].label`."""
    for step in steps(path):
        info = item(info, step) if isinstance(step, int) else member(info, step)
    return info


def steps(path: str) -> list[str | int]:
    """Return the members and items that a path as msgspec writes it leads through; `[...]` is any item."""
    found = _STEP.findall(path)
    return [name if name else int(number) if number.isdigit() else 0 for name, number in found]


def contains(info: inspect.Type, *kinds: type, keys: bool = False) -> bool:
    """Tell whether `info`, or a type anywhere below it, is one of `kinds`; the type of a dict's names where `keys`."""
    return any(isinstance(one, kinds) or (keys and holds(key(one), *kinds)) for one in _all(info, set()))


def ignores_unknown(info: inspect.Type) -> bool:
    """Tell whether msgspec would ignore a member somewhere in a value of the type."""
    objects = (one for one in _all(info, set()) if isinstance(one, OBJECTS))
    return any(not getattr(one, "forbid_unknown_fields", False) for one in objects)


def _all(info: inspect.Type, seen: set[type]) -> Iterator[inspect.Type]:
    """Yield `info` and the types below it; one that is inside itself, or is there twice, once."""
    if isinstance(info, _NAMED):
        if info.cls in seen:
            return
        seen.add(info.cls)
    yield info
    for part in parts(info):
        yield from _all(part, seen)
