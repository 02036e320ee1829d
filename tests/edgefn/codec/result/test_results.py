"""From results to answers: each kind under each Accept is a right answer or a 406, and errors name the member."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import re
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn import Image
from edgefn.codec.request.signature import Request, Signature
from edgefn.codec.result.results import encode
from edgefn.errors import InputError, NotAcceptable
from edgefn.spec import ResultSpec, TensorSpec
from tests.edgefn.codec.result.kinds_of_results import (
    JPEG,
    JPEG_FILE,
    JSON,
    KINDS,
    MSGPACK,
    NOT,
    NPY,
    OCTETS,
    PNG,
    TEXT,
    WEBP,
    X_MSGPACK,
    Kind,
    read,
    same,
)

VALUE = ResultSpec()
FORMS = (JSON, MSGPACK, NPY, OCTETS, TEXT, PNG, JPEG, WEBP)
Accept = tuple[tuple[str, float], ...]
"""The ranges of an Accept header with their qualities."""

ACCEPTS: list[Accept] = [
    (),
    (("*/*", 1),),
    (("application/*", 1),),
    (("image/*", 1),),
    (("text/html", 1),),
    (("text/html", 1), ("application/pdf", 0.3)),
    (("text/html", 1), ("*/*", 0.8)),
    (("application/json", 1), ("text/plain", 1), ("*/*", 1)),
    (("image/avif", 1), ("image/webp", 1), ("*/*", 0.8)),
    (("*/*", 0),),
    ((X_MSGPACK, 1),),
    *(((form, 1),) for form in FORMS),
    *(((form, 0), ("*/*", 1)) for form in FORMS),
    *(((form, 0),) for form in FORMS),
    *(((form, 0.3), (other, 0.7)) for form, other in itertools.permutations(FORMS, 2)),
]


def _header(accept: Accept) -> str:
    return ", ".join(name if quality == 1 else f"{name};q={quality}" for name, quality in accept)


def _order(kind: Kind, accept: Accept) -> list[str]:
    """The forms of `kind` that may be sent for `accept`, in order: RFC 9110 12.5.1, once more and for itself."""
    ranges = dict(accept) if accept else {"*/*": 1.0}

    def quality(form: str) -> float | None:
        return ranges.get(form, ranges.get(form.split("/")[0] + "/*", ranges.get("*/*")))

    forms = list(kind.forms)
    if kind.name == "picture of a file" and "image/*" in ranges:
        forms = [JPEG, *(form for form in forms if form != JPEG)]
    wanted = sorted((form for form in forms if quality(form)), key=lambda form: -(quality(form) or 0))
    return wanted or [form for form in forms if quality(form) is None]


def _encoded(value: Any, accept: str) -> tuple[str, bytes] | NotAcceptable:
    try:
        return encode(value, VALUE, accept)
    except NotAcceptable as error:
        return error


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_under_each_accept_is_right_or_a_406(kind: Kind) -> None:
    """The best form that holds the result, read by a client of its own; never an error of the handler's."""
    for accept in ACCEPTS:
        header = _header(accept)
        wanted = {MSGPACK: 1.0} if dict(accept).get(X_MSGPACK) and MSGPACK in kind.forms else dict(accept)
        order = _order(kind, tuple(wanted.items()))
        right = next((form for form in order if kind.forms[form] is not NOT), None)
        answer = _encoded(kind.value, header)
        if right is None:
            assert isinstance(answer, NotAcceptable), (header, answer)
            assert answer.available == tuple(form for form in kind.forms if kind.forms[form] is not NOT), header
            continue
        assert isinstance(answer, tuple), (header, right, answer)
        content_type, body = answer
        named = X_MSGPACK if dict(accept).get(X_MSGPACK) and right == MSGPACK else right
        assert content_type == named + ("; charset=utf-8" if right == TEXT else ""), header
        got = read(content_type, body)
        assert same(got, kind.forms[right]), (header, content_type, got, kind.forms[right])


@pytest.mark.parametrize(
    ("value", "accept", "message"),
    [
        (
            {"pairs": [{(1, "a"): 2}]},
            JSON,
            r"^application/json cannot hold the result: \$\.pairs\[0\] has the key \(1, 'a'\), and a tuple "
            r"cannot be a member name in JSON; ask for application/msgpack$",
        ),
        ({1: "a", "1": "b"}, JSON, r"it has the keys 1 and '1', which become one name; ask for application/msgpack$"),
        ({"n": [0, 2**64]}, X_MSGPACK, r"^application/x-msgpack cannot hold .* \$\.n\[1\] is 18446744073709551616, "),
        (
            np.array([1j]),
            f"{JSON}, {OCTETS}",
            r"json cannot .*; application/octet-stream .*; ask for application/x-npy$",
        ),
        (
            PIL.Image.new("1", (16384, 2)),
            WEBP,
            "it is a picture of 16384x2 pixels, and WEBP has at most 16,383 along a side; ask for image/png or im",
        ),
        ([1], "*/*;q=0", r"^Accept excludes each form of the result by q=0; ask for application/json or "),
    ],
)
def test_a_406_says_why_and_what_to_ask_for(value: Any, accept: str, message: str) -> None:
    """For the caller: which form cannot hold which member, and which can hold the result."""
    with pytest.raises(NotAcceptable, match=message):
        encode(value, VALUE, accept)


class Model:
    """As pydantic's: no dataclass, with a method that gives a dict."""

    def model_dump(self) -> dict[str, int]:
        return {}


class Unshown:
    """A key whose repr() fails."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr()")


class Unknown(msgspec.Struct):
    inner: Any


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (threading.Lock(), r"^the result cannot be sent: it is of type _thread\.lock, which has no encoding: return "),
        ({"a": [object()]}, r"\$\.a\[0\] is of type object, which has no encoding"),
        ({"a b": (1, {"d": Unknown(Fraction(1, 2))})}, r'\$\["a b"\]\[1\]\.d\.inner is of type fractions\.Fraction, '),
        (Unknown(np.array([{"x": object()}])), r"\$\.inner\[0\]\.x is of type object"),
        ([{1: Fraction(1, 2)}], r"\$\[0\]\[1\] is of type fractions\.Fraction, .*; write float\(x\) or str\(x\)"),
        (1j, r"is of type complex, .*; write \[x\.real, x\.imag\]"),
        ([np.array([1j])], r"\$\[0\] is of dtype complex128; send the parts"),
        ((n for n in range(3)), r"is of type generator, .*; collect it in a list"),
        (map(int, "12"), "collect it in a list"),
        (io.BytesIO(), r"is of type _io\.BytesIO, .*; write \.read\(\)"),
        (
            [10**5000],
            r"as application/json, \$\[0\] cannot be encoded: .*limit.*; as application/msgpack, \$\[0\] is <int ",
        ),
        ({Unshown(): 1}, r"it has the key <Unshown without a repr\(\)>, and a Unshown cannot be a member name"),
        (Model(), r"Model, which has no encoding; write \.model_dump\(\)"),
        (Model, r"is of type type, which has no encoding: "),
        (lambda: None, "is of type function, which"),
        ("a\ud800", r"it has a lone surrogate, '\\ud800' at 1, which is not valid text; write text.encode"),
        ({"a": ["", "\udfff"]}, r"\$\.a\[1\] has a lone surrogate"),
        ({"a": {"\ud800": 1}}, r"\$\.a has the key '\\ud800', which has a lone surrogate"),
        (
            {"n": {2**64: 0, (1,): 0}},
            r"as application/json, \$\.n has the key \(1,\), .*; as application/msgpack, .*2\*\*6",
        ),
        (np.timedelta64(3), r"is a timedelta64 without a unit"),
        ([np.longdouble("1e400")], r"\$\[0\] has .* numbers beyond float64"),
        (PIL.Image.new("L", (0, 3)), "is an empty picture of 0x3 pixels"),
        ([PIL.Image.new("L", (0, 3))], r"\$\[0\] is an empty picture of 0x3 pixels"),
        ([memoryview(b"abcd")[::2]], r"\$\[0\] cannot be encoded: .*contiguous"),
    ],
)
def test_what_no_form_holds_is_a_type_error(value: Any, message: str) -> None:
    """The handler's fault, whatever Accept says: the path of the member, what it is, what to return instead."""
    for accept in ("", JSON, "application/msgpack, image/*"):
        with pytest.raises(TypeError, match=message):
            encode(value, VALUE, accept)


def test_what_torch_returns_has_its_own_advice() -> None:
    """A tensor of torch's, which no box has: it would come from a package that looks like it."""
    tensor = type("Tensor", (), {"__module__": "torch"})()
    with pytest.raises(TypeError, match=r"\$\.x is of type torch\.Tensor, which has no encoding; write \.numpy\(\)"):
        encode({"x": tensor}, VALUE)


def test_endless_and_very_deep_results_are_type_errors() -> None:
    """A list within itself, and one that no client would read."""
    endless: list[Any] = []
    endless.append(endless)
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    for value in (endless, deep):
        with pytest.raises(TypeError, match=r"nested deeper than about \d+ levels, or contains itself"):
            encode(value, VALUE)
    while isinstance(deep, list):  # level by level: to free them at once takes as deep a stack
        deep = deep.pop()


def test_a_picture_comes_as_it_was_where_image_of_any_type_is_asked_for() -> None:
    """The very bytes; what says nothing of images gets PNG, and what was only opened by Pillow is no file."""
    assert encode(Image(JPEG_FILE), VALUE, "image/*") == (JPEG, JPEG_FILE)
    assert encode(Image(JPEG_FILE), VALUE, "image/*, image/png;q=0.9") == (JPEG, JPEG_FILE)
    assert encode(Image(JPEG_FILE), VALUE, "image/*;q=0.9, image/png")[0] == PNG
    assert encode(Image(JPEG_FILE), VALUE, "*/*")[0] == PNG
    assert encode(Image(JPEG_FILE).pil(), VALUE, "image/*")[0] == PNG


def test_a_broken_picture_of_the_functions_own_is_its_error(tmp_path: Path) -> None:
    """Wherever it is; its bytes are not sent in the place of what was asked for."""
    file = tmp_path / "cut.jpeg"
    PIL.Image.effect_noise((64, 64), 90).save(file)
    file.write_bytes(file.read_bytes()[:1500])
    for value in (Image.open(file), [Image.open(file)]):
        with pytest.raises(RuntimeError, match=r"cannot write a picture of the result as PNG: .*cut\.jpeg"):
            encode(value, VALUE)
    with pytest.raises(InputError):
        encode(Image(file.read_bytes(), field="photo"), VALUE)


def test_the_documented_forms_are_those_there_are() -> None:
    """docs/results.md: by the kind of result, in the order on offer."""
    page = (Path(__file__).parents[4] / "docs" / "results.md").read_text(encoding="utf-8")
    rows = page.partition("| a result |")[2].partition("\n\n")[0].splitlines()[2:]
    documented = [tuple(dict.fromkeys(re.findall(r"\w+/[\w-]+", row))) for row in rows]
    kinds = {kind.name: tuple(kind.forms) for kind in KINDS}
    assert documented == [kinds[name] for name in ("text", "bytes", "picture", "float64", "int")]


def test_the_declared_kind_changes_no_answer() -> None:
    """What a handler says that it returns is for OpenAPI; what it returns is sent."""
    for kind in KINDS:
        declared = {encode(kind.value, ResultSpec(name), "") for name in ("value", "tensor", "image", "text", "none")}
        assert len(declared) == 1, kind.name


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def _same(value: Any) -> Any:
    return value


_same.__annotations__ = {"value": Any, "return": Any}


@given(VALUES, st.sampled_from([JSON, MSGPACK]))
def test_a_result_can_be_sent_as_a_request(value: Any, media: str) -> None:
    """What encode writes, decode reads: one function's answer is another's input."""
    signature = Signature.of(_same)
    content_type, body = encode(value, signature.result, media)
    assert content_type == media
    assert signature.decode(Request(content_type, body)) == {"value": value}


LEAVES = (
    st.sampled_from([(None, None), (True, True), (np.True_, True), (np.ma.masked, None)])
    | st.integers().map(lambda n: (n, n))
    | st.integers(-128, 127).map(lambda n: (np.int8(n), n))
    | st.floats(allow_nan=False, allow_infinity=False).map(lambda x: (x, x))
    | st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda x: (np.float32(x), x))
    | st.text(st.characters(exclude_categories=["Cs"])).map(lambda text: (text, text))
    | st.lists(st.floats(width=16, allow_nan=False, allow_infinity=False)).map(lambda x: (np.array(x, "f2"), x))
    | st.dates().map(lambda day: (np.datetime64(day), day.isoformat()))
)
"""(value, what JSON reads)."""


def _containers(members: st.SearchStrategy[tuple[Any, Any]]) -> st.SearchStrategy[tuple[Any, Any]]:
    lists = st.lists(members, max_size=4)
    named = st.dictionaries(st.text(max_size=3), members, max_size=4).map(lambda d: list(d.items()))
    numbered = st.dictionaries(st.integers(-(2**65), 2**65), members, max_size=4).map(lambda d: list(d.items()))
    return st.one_of(
        lists.map(lambda found: ([value for value, _ in found], [read for _, read in found])),
        lists.map(lambda found: (tuple(value for value, _ in found), [read for _, read in found])),
        members.map(lambda found: (Unknown(found[0]), {"inner": found[1]})),
        st.one_of(named, numbered).map(
            lambda found: ({k: value for k, (value, _) in found}, {str(k): read for k, (_, read) in found})
        ),
    )


@given(st.recursive(LEAVES, _containers, max_leaves=15))
def test_nested_values_are_read_from_json(pair: tuple[Any, Any]) -> None:
    """Every such value is JSON; MessagePack has it too, or is a 406 for integers that it does not hold."""
    value, expected = pair
    content_type, body = encode([value], VALUE)
    assert content_type == JSON
    assert same(read(content_type, body), [expected])
    answer = _encoded([value], MSGPACK)
    if isinstance(answer, NotAcceptable):
        assert answer.available == (JSON,)
        assert any(not -(2**63) <= n < 2**64 for n in _integers(value)), answer
    else:
        read(*answer)


def _integers(value: Any) -> Iterator[int]:
    if isinstance(value, int):
        yield value
    elif isinstance(value, Unknown):
        yield from _integers(value.inner)
    elif isinstance(value, dict):
        yield from (key for key in value if isinstance(key, int))
        yield from (n for member in value.values() for n in _integers(member))
    elif isinstance(value, list | tuple):
        yield from (n for member in value for n in _integers(member))


FRACTION = st.just((Fraction(1, 3), None))


@given(st.recursive(LEAVES | FRACTION, _containers, max_leaves=15), st.sampled_from([JSON, ""]))
def test_a_member_that_cannot_be_sent_is_found_by_its_path(pair: tuple[Any, Any], accept: str) -> None:
    """The path leads to a Fraction, wherever it is; without one there is no such error."""
    value = {"result": pair[0]}
    if "Fraction(1, 3)" not in repr(value):
        encode(value, VALUE, accept)
        return
    with pytest.raises(TypeError) as raised:
        encode(value, VALUE, accept)
    path = re.search(r"(\$\.result.*?) is of type fractions\.Fraction", str(raised.value), re.DOTALL)
    assert path is not None, raised.value
    assert _at(value, path[1].removeprefix("$")) == Fraction(1, 3)


def _at(value: Any, path: str) -> Any:
    """What a reader of the message finds by the path."""
    while path:
        step = re.match(r'\.(\w+)|\[(-?\d+)\]|\[("(?:[^"\\]|\\.)*")\]', path)
        assert step is not None, path
        name, number, text = step.groups()
        key = name or (int(number) if number else json.loads(text))
        value = value.inner if isinstance(value, Unknown) else value[key]
        path = path[step.end() :]
    return value


class Label(msgspec.Struct):
    score: np.float32


@dataclasses.dataclass
class Labels:
    labels: list[Label]


def test_the_declared_result_is_in_the_spec() -> None:
    """Kinds of results by their hints."""

    def kind(hint: Any) -> ResultSpec:
        def handler() -> None: ...

        handler.__annotations__ = {"return": hint}
        return Signature.of(handler).result

    assert kind(None).kind == "none"
    assert kind(bytes).kind == "bytes"
    assert kind(str).kind == "text"
    assert kind(Image).kind == kind(PIL.Image.Image).kind == "image"
    assert kind(np.ndarray).kind == kind(np.typing.NDArray[np.float32]).kind == "tensor"
    spec = TensorSpec("float32", ("n", 2))
    assert kind(Annotated[np.ndarray, spec]).schema["items"]["maxItems"] == 2
    assert kind(Image | None).kind == kind(list[Labels]).kind == "value"
    properties = kind(Labels).schema["properties"]
    assert properties["labels"]["items"]["properties"]["score"] == {"type": "number"}
