"""Members that an object in a request has and its type has not.

msgspec ignores those of a struct, a dataclass or a TypedDict. Then a misspelt one leaves its default in place, and the
answer is that of another question. The checks are made once a type, so that lists of numbers cost nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AnySet
from typing import Any

from msgspec import inspect

from edgefn.codec import members


class UnknownMember(ValueError):
    """A member that its object's type does not have; `path` is below the value, `known` are those that it has."""

    def __init__(self, path: str, known: Iterable[str]) -> None:
        super().__init__(f"Object contains unknown field - at `${path}`")
        self.path = path
        self.known = tuple(known)


class Check(ABC):
    """Hold a value against what it was read from."""

    kind: type | tuple[type, ...]
    """What a value is that this check is for."""

    @abstractmethod
    def __call__(self, value: Any, raw: Any, path: str) -> None:
        """Raise UnknownMember for a member of `raw` that is in none of its types.

        A `__post_init__` may have made anything of the value: then only what needs no value is checked.
        """


def check_of(info: inspect.Type) -> Check | None:
    """Return the check of a type; None where msgspec ignores nothing."""
    return _Maker().check(info)


class _Maker:
    """Makes checks; a type that contains itself has one check."""

    def __init__(self) -> None:
        self._objects: dict[type, _Object] = {}

    def check(self, info: inspect.Type) -> Check | None:
        if not members.ignores_unknown(info):
            return None
        if isinstance(info, inspect.Metadata):
            return self.check(info.type)
        if isinstance(info, inspect.UnionType):
            return _OneOf([check for one in info.types if (check := self.check(one)) is not None])
        if isinstance(info, inspect.DictType):
            return _Values(self.check(info.value_type))
        if isinstance(info, inspect.TupleType):
            return _Items([self.check(one) for one in info.item_types])
        if isinstance(info, inspect.NamedTupleType):
            return _Items([self.check(field.type) for field in info.fields])
        if isinstance(info, members.ITEMS):
            return _Each(self.check(info.item_type))
        assert isinstance(info, members.OBJECTS)
        return self._object(info)

    def _object(self, info: inspect.StructType | inspect.DataclassType | inspect.TypedDictType) -> Check:
        if info.cls not in self._objects:
            made = self._objects[info.cls] = _Object(info)
            made.checks = [
                (field.encode_name, field.name, check)
                for field in info.fields
                if (check := self.check(field.type)) is not None
            ]
        return self._objects[info.cls]


class _Object(Check):
    """An object: by name, or a struct that is written as an array."""

    def __init__(self, info: inspect.StructType | inspect.DataclassType | inspect.TypedDictType) -> None:
        self.kind = dict if isinstance(info, inspect.TypedDictType) else info.cls
        tag = getattr(info, "tag_field", None)
        names = [field.encode_name for field in info.fields]
        self._order = ([tag] if tag else []) + names
        self._known = frozenset(self._order)
        self.checks: list[tuple[str, str, Check]] = []

    def __call__(self, value: Any, raw: Any, path: str) -> None:
        if not isinstance(raw, Mapping):
            if len(raw) > len(self._order):
                raise UnknownMember(f"{path}[{len(self._order)}]", ())
            by_name = dict(zip(self._order, enumerate(raw), strict=False))
            for name, attribute, check in self.checks:
                if name in by_name:
                    number, inner = by_name[name]
                    check(getattr(value, attribute, None), inner, f"{path}[{number}]")
            return
        if not self._known.issuperset(raw):
            name = next(name for name in raw if name not in self._known)
            raise UnknownMember(f"{path}.{name}", self._order)
        for name, attribute, check in self.checks:
            if name in raw:
                of = value.get(attribute) if isinstance(value, Mapping) else getattr(value, attribute, None)
                check(of, raw[name], f"{path}.{name}")


class _Values(Check):
    """The values of a dict, whose keys may have been read from text."""

    kind = Mapping

    def __init__(self, check: Check | None) -> None:
        self._check = check

    def __call__(self, value: Any, raw: Any, path: str) -> None:
        assert self._check is not None
        values = _paired(value.values() if isinstance(value, Mapping) else None, raw)
        for one, (name, inner) in zip(values, raw.items(), strict=True):
            self._check(one, inner, f"{path}.{name}")


class _Each(Check):
    """The items of an array; a set has no order, so that one of its values must have all the members."""

    kind = (Sequence, AnySet)

    def __init__(self, check: Check | None) -> None:
        self._check = check

    def __call__(self, value: Any, raw: Any, path: str) -> None:
        assert self._check is not None
        if isinstance(value, AnySet):
            for number, inner in enumerate(raw):
                self._check_any(value, inner, f"{path}[{number}]")
            return
        values = _paired(value if isinstance(value, Sequence) else None, raw)
        for number, (one, inner) in enumerate(zip(values, raw, strict=True)):
            self._check(one, inner, f"{path}[{number}]")

    def _check_any(self, values: Iterable[Any], raw: Any, path: str) -> None:
        assert self._check is not None
        wrong: UnknownMember | None = None
        for value in values:
            try:
                self._check(value, raw, path)
            except UnknownMember as error:
                wrong = error
            else:
                return
        if wrong is not None:
            raise wrong


def _paired(values: Collection[Any] | None, raw: Collection[Any]) -> Collection[Any]:
    """Return `values`, one for each of `raw`; None for each where a `__post_init__` has made something else of them."""
    return values if values is not None and len(values) == len(raw) else [None] * len(raw)


class _Items(Check):
    """The items of a tuple, each of a type of its own."""

    kind = tuple

    def __init__(self, checks: Sequence[Check | None]) -> None:
        self._checks = checks

    def __call__(self, value: Any, raw: Any, path: str) -> None:
        values = _paired(value if isinstance(value, Sequence) else None, raw)
        for number, (check, one, inner) in enumerate(zip(self._checks, values, raw, strict=False)):
            if check is not None:
                check(one, inner, f"{path}[{number}]")


class _OneOf(Check):
    """A value of several types: the check of the one that it has."""

    kind = object

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks

    def __call__(self, value: Any, raw: Any, path: str) -> None:
        for check in self._checks:
            if isinstance(value, check.kind) and not isinstance(value, str | bytes):
                check(value, raw, path)
                return
