"""Values in JSON and MessagePack beyond the table of results: keys, and what a subclass is."""

from __future__ import annotations

import json
from collections import UserList, UserString
from collections.abc import Hashable
from datetime import date
from enum import Enum
from typing import Any
from uuid import UUID

import msgpack
import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.codec.result import members, values
from edgefn.codec.result.members import failure
from edgefn.codec.result.values import to_json, to_msgpack


class One(Enum):
    TEXT = "1"
    NUMBER = 1


KEYS: st.SearchStrategy[Hashable] = st.one_of(
    st.sampled_from(["1", "true", "null", "nan", "2026-07-01", 1, 1.5, True, None, float("nan"), "MQ==", b"1"]),
    st.sampled_from([*One, np.str_("1"), np.int8(1), np.float32(1.5), date(2026, 7, 1), UUID(int=1), str(UUID(int=1))]),
    st.integers(-2, 2),
    st.text("12", max_size=2),
)


@given(st.dictionaries(KEYS, st.integers(0, 3), max_size=6))
def test_no_name_stands_twice(value: dict[Hashable, int]) -> None:
    """A dict whose keys become one name is refused; any other has as many names as keys, in its order."""
    for write, names in ((to_json, _json_names), (to_msgpack, _msgpack_names)):
        if (error := failure(value, write)) is not None:
            assert "which become one name" in str(error)
            continue
        assert len(set(map(repr, names(write(value))))) == len(value)


def _json_names(body: bytes) -> list[str]:
    pairs: list[tuple[str, Any]] = json.loads(body, object_pairs_hook=list)
    return [name for name, _ in pairs]


def _msgpack_names(body: bytes) -> list[Any]:
    pairs = msgpack.unpackb(body, strict_map_key=False, object_pairs_hook=list)
    return [name for name, _ in pairs]


class Loud(str):
    def __str__(self) -> str:
        return self.upper()


class Twice(int):
    def __int__(self) -> int:
        return 2 * int.__int__(self)


class Half(float):
    pass


class Raw(bytes):
    pass


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Loud("a"), b'"a"'),
        (Twice(3), b"3"),
        (Half(0.5), b"0.5"),
        (Raw(b"\x00"), b'"AA=="'),
        (UserString("ab"), b'"ab"'),
        (UserList([1]), b"[1]"),
        ({"a": 1}.keys(), b'["a"]'),
        ({"a": 1}.items(), b'[["a",1]]'),
        ({Loud("a"): 1, Twice(3): 2}, b'{"a":1,"3":2}'),
    ],
)
def test_a_subclass_is_what_it_holds(value: Any, expected: bytes) -> None:
    """As json.dumps has it: the value of the base, whatever its methods say."""
    assert to_json([value]) == b"[%s]" % expected
    decoded = msgpack.unpackb(to_msgpack(value), strict_map_key=False)
    assert to_json(decoded) == expected


def test_ordinary_results_are_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a result of Python's own types nothing is looked at but the keys of its own dict."""

    def fail(*_: object) -> None:
        raise AssertionError("a member was looked at")

    for name in ("plain_json", "_plain", "_collected"):
        monkeypatch.setattr(values, name, fail)
    monkeypatch.setattr(members, "check_names", fail)
    monkeypatch.setattr(values, "_json", msgspec.json.Encoder(enc_hook=fail).encode)
    value = {"label": "cat", "boxes": [{"score": 0.5, "at": (1, 2)}], "n": None, "more": {"a": [True] * 100}}
    assert json.loads(to_json(value)) == json.loads(json.dumps(value))
    assert to_json([1, 2.5]) == b"[1,2.5]"


def test_names_may_be_long() -> None:
    """What is written is a buffer of its own where it is large, and no two names are taken for one by it."""
    long = "x" * 100_000
    assert json.loads(to_json({1: "a", long: "b", f"{long}y": "c"})) == {"1": "a", long: "b", f"{long}y": "c"}
    assert msgpack.unpackb(to_msgpack({1: "a", long: "b"}), strict_map_key=False) == {1: "a", long: "b"}
