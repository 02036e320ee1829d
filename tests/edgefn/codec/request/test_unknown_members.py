"""A member that no type has is refused wherever it stands: a misspelt one must not leave its default in place."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any, NamedTuple, NotRequired, TypedDict

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn import InputError
from edgefn.codec.request.signature import Request, Signature

JSON, MSGPACK = "application/json", "application/msgpack"


class Limits(msgspec.Struct):
    low: float = 0.0
    high: float = 1.0


class Renamed(msgspec.Struct, rename="camel"):
    best_of: int = 1


class Listed(msgspec.Struct, array_like=True):
    limits: Limits
    name: str = ""


class Cat(msgspec.Struct, tag=True):
    lives: int = 9


class Dog(msgspec.Struct, tag=True, tag_field="type"):
    age: int = 1


class Bird(msgspec.Struct, tag=True, tag_field="type"):
    wings: int = 2


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    limits: Limits = msgspec.field(default_factory=Limits)


class Tree(msgspec.Struct):
    value: int = 0
    children: list[Tree] = []


class Frozen(msgspec.Struct, frozen=True):
    a: int = 0


@dataclasses.dataclass
class Settings:
    threshold: float = 0.5
    limits: Limits = dataclasses.field(default_factory=Limits)


class Options(TypedDict):
    name: str
    limits: NotRequired[Limits]


class Pair(NamedTuple):
    left: Limits
    right: Limits


class Colour(enum.Enum):
    RED = "red"


def settings_(settings: Settings) -> None: ...
def listed(listed: Listed) -> None: ...
def renamed(renamed: Renamed) -> None: ...
def cat(cat: Cat) -> None: ...
def animal(animal: Dog | Bird | None) -> None: ...
def closed(closed: Closed) -> None: ...
def tree(tree: Tree) -> None: ...
def options(options: Options) -> None: ...
def pair(pair: Pair) -> None: ...
def many(many: list[Limits]) -> None: ...
def named(named: dict[str, Limits]) -> None: ...
def numbered(numbered: dict[int, Limits]) -> None: ...
def coloured(coloured: dict[Colour, list[Limits]]) -> None: ...
def frozen(frozen: set[Frozen]) -> None: ...
def two(first: Limits, second: tuple[int, Limits] | None = None) -> None: ...
def anything(value: Any) -> None: ...


CASES = [
    (settings_, {"treshold": 0.9}, "settings.treshold"),
    (settings_, {"threshold": 0.9, "limits": {"hihg": 1}}, "settings.limits.hihg"),
    (listed, [{"low": 1}, "a", 3], "listed[2]"),
    (listed, [{"lwo": 1}], "listed[0].lwo"),
    (renamed, {"best_of": 2}, "renamed.best_of"),
    (cat, {"type": "Cat", "live": 3}, "cat.live"),
    (animal, {"type": "Dog", "wings": 3}, "animal.wings"),
    (closed, {"limits": {"lwo": 1}}, "closed.limits.lwo"),
    (tree, {"children": [{"children": [{"vlaue": 1}]}]}, "tree.children[0].children[0].vlaue"),
    (options, {"name": "a", "limit": {}}, "options.limit"),
    (options, {"name": "a", "limits": {"lwo": 1}}, "options.limits.lwo"),
    (pair, [{"low": 1}, {"lwo": 1}], "pair[1].lwo"),
    (many, [{"low": 1}, {"high": 2, "x": 1}], "many[1].x"),
    (named, {"a": {"lwo": 1}}, "named.a.lwo"),
    (numbered, {1: {"low": 1}, 2: {"lwo": 1}}, "numbered.2.lwo"),
    (coloured, {"red": [{"lwo": 1}]}, "coloured.red[0].lwo"),
    (frozen, [{"a": 1}, {"b": 1}], "frozen[1].b"),
    (two, {"first": {"lwo": 1}}, "first.lwo"),
    (two, {"first": {}, "second": [1, {"lwo": 1}]}, "second[1].lwo"),
]


def decode(handler: Any, content_type: str, value: Any) -> dict[str, Any]:
    """The arguments of a document."""
    body = (msgspec.msgpack if content_type == MSGPACK else msgspec.json).encode(value)
    return Signature.of(handler).decode(Request(content_type, body))


@pytest.mark.parametrize("content_type", [JSON, MSGPACK])
@pytest.mark.parametrize(("handler", "value", "field"), CASES)
def test_an_unknown_member_is_named(handler: Any, value: Any, field: str, content_type: str) -> None:
    """Of structs, dataclasses, TypedDicts, below lists, tuples, dicts, sets and unions, in both encodings."""
    with pytest.raises(InputError) as caught:
        decode(handler, content_type, value)
    assert (caught.value.field, "unknown" in str(caught.value)) == (field, True)


def test_the_member_that_was_meant_is_said() -> None:
    """A slip of the keyboard is answered with the word."""
    with pytest.raises(InputError, match=r'settings\.treshold: is unknown; did you mean "threshold"\?'):
        decode(settings_, JSON, {"treshold": 0.9})


def test_the_same_is_true_of_forms() -> None:
    """A lone struct's members come as a form's fields, too."""
    with pytest.raises(InputError) as caught:
        Signature.of(settings_).decode(Request("application/x-www-form-urlencoded", b"treshold=0.9"))
    assert caught.value.field == "settings.treshold"


def test_what_takes_anything_takes_it() -> None:
    """`Any` and dicts have no unknown members."""
    assert decode(anything, JSON, {"a": {"b": 1}}) == {"value": {"a": {"b": 1}}}
    assert decode(named, JSON, {"x": {"low": 1}}) == {"named": {"x": Limits(1.0)}}


LIMITS = st.fixed_dictionaries({}, optional={"low": st.integers(0, 9), "high": st.integers(0, 9)})
TREES = st.recursive(
    st.fixed_dictionaries({}, optional={"value": st.integers(0, 9)}),
    lambda inner: st.fixed_dictionaries({"children": st.lists(inner, max_size=3)}, optional={"value": st.just(1)}),
    max_leaves=8,
)
KNOWN = st.one_of(
    st.tuples(st.just(many), st.lists(LIMITS, max_size=4)),
    st.tuples(st.just(named), st.dictionaries(st.text(max_size=3), LIMITS, max_size=3)),
    st.tuples(st.just(tree), TREES),
    st.tuples(st.just(two), st.fixed_dictionaries({"first": LIMITS})),
)


def objects(value: Any) -> list[dict[str, Any]]:
    """Every object in `value`."""
    if isinstance(value, list):
        return [one for item in value for one in objects(item)]
    if isinstance(value, dict):
        return [value, *(one for item in value.values() for one in objects(item))]
    return []


@given(KNOWN, st.data())
@settings(max_examples=150, deadline=None)
def test_a_document_is_read_until_one_member_is_added_anywhere(known: tuple[Any, Any], data: st.DataObject) -> None:
    """Right documents are read; with one foreign member in any of their objects they are refused."""
    handler, value = known
    decode(handler, JSON, value)
    if places := [one for one in objects(value) if not (handler is named and one is value)]:
        data.draw(st.sampled_from(places))["foreign"] = {}
        with pytest.raises(InputError):
            decode(handler, JSON, value)


class Sifted(msgspec.Struct):
    limits: list[Limits]
    by_name: dict[str, Limits] = {}
    first: Limits | None = None
    pair: tuple[Limits, int] = (Limits(), 0)

    def __post_init__(self) -> None:
        self.limits = [one for one in self.limits if one.low > 0]
        self.by_name = dict[str, Limits]()
        self.first = None
        self.pair = ()  # type: ignore[assignment]


def sifted(sifted: Sifted) -> None: ...


@pytest.mark.parametrize("value", [{"limits": [{"low": 0}, {"low": 2}]}, {"limits": [], "first": {"low": 1}}])
def test_a_post_init_may_change_the_value(value: Any) -> None:
    """A list that it filters is not the caller's fault."""
    got = Signature.of(sifted).decode(Request(JSON, msgspec.json.encode(value)))
    assert all(one.low > 0 for one in got["sifted"].limits)


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"limits": [{"low": 0}, {"lwo": 2}]}, "sifted.limits[1].lwo"),
        ({"limits": [], "by_name": {"a": {"lwo": 1}}}, "sifted.by_name.a.lwo"),
        ({"limits": [], "first": {"low": 1}, "pair": [{"lwo": 1}, 1]}, "sifted.pair[0].lwo"),
    ],
)
def test_a_misspelt_member_is_found_whatever_a_post_init_did(value: Any, field: str) -> None:
    """Names are checked against the types alone where the values are gone."""
    with pytest.raises(InputError) as caught:
        Signature.of(sifted).decode(Request(JSON, msgspec.json.encode(value)))
    assert caught.value.field == field
