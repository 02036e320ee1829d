"""Types in words, for errors: "an int", "a float or null", "one of red, blue"."""

from __future__ import annotations

from msgspec import inspect

_WORDS: dict[type, str] = {
    inspect.NoneType: "null",
    inspect.BoolType: "true or false",
    inspect.IntType: "an int",
    inspect.FloatType: "a float",
    inspect.DecimalType: "a decimal number",
    inspect.StrType: "a text",
    inspect.BytesType: "base64",
    inspect.DateTimeType: "a date and time such as 2026-01-31T12:00:00Z",
    inspect.DateType: "a date such as 2026-01-31",
    inspect.TimeType: "a time such as 12:00:00",
    inspect.TimeDeltaType: "a duration such as PT1M30S",
    inspect.UUIDType: "a UUID",
    inspect.ListType: "a list",
    inspect.DictType: "an object",
    inspect.StructType: "an object",
    inspect.DataclassType: "an object",
    inspect.TypedDictType: "an object",
}


def shown(info: inspect.Type) -> str:
    """Describe a value of the type."""
    if isinstance(info, inspect.Metadata):
        return shown(info.type)
    if isinstance(info, inspect.UnionType):
        return " or ".join(dict.fromkeys(shown(one) for one in info.types))
    if named := choices(info):
        return f"one of {', '.join(named)}"
    return _WORDS.get(type(info), "a value of another kind")


def choices(info: inspect.Type) -> tuple[str, ...]:
    """Return the values that an enum or a Literal takes, as text; nothing for other types."""
    if isinstance(info, inspect.Metadata):
        return choices(info.type)
    if isinstance(info, inspect.UnionType):
        return tuple(name for one in info.types for name in choices(one))
    if isinstance(info, inspect.EnumType):
        return tuple(str(one.value) for one in info.cls)
    return tuple(str(value) for value in info.values) if isinstance(info, inspect.LiteralType) else ()
