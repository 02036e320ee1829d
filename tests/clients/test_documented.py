"""What a client sends that follows /openapi.json is served; what the document does not allow is refused by name."""

from __future__ import annotations

import datetime
import inspect
import json
import uuid
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgefn import InputError
from edgefn.codec.request.signature import Request, Signature
from edgefn.spec import FunctionSpec
from edgefn_runtime.gateway.openapi.components import Components
from edgefn_runtime.gateway.openapi.operations import DocumentedFunction, path_item
from tests.clients.arguments import KINDS, Album, Colour, Digit, Reading, expected, handler_of, plain
from tests.clients.documented import DocumentedClient, Sent, Value

JSON = "application/json"


NAMES = ("image", "k", "text_2", "xs")


class Function(NamedTuple):
    """A handler's signature, the client of its document, and arguments for a call."""

    signature: Signature
    client: DocumentedClient
    kinds: dict[str, Any]
    given: dict[str, Value]
    required: frozenset[str]


@st.composite
def functions(draw: st.DrawFn) -> Function:
    """A handler of 1 to 4 parameters of any kind, with defaults, optionals and lists among them."""
    names = draw(st.permutations(NAMES))[: draw(st.integers(1, 4))]
    parameters, given, kinds = [], {}, {}
    for name in names:
        kind = draw(st.sampled_from(KINDS))
        need = draw(st.sampled_from(["required", "default", "optional"]))
        hint = kind.hint if need != "optional" else kind.hint | None if not isinstance(kind.hint, str) else None
        default = {"required": inspect.Parameter.empty, "optional": None}.get(need)
        if need == "default":
            hint, default = kind.hint, draw(kind.values).expected if kind.hint in (int, str, float, bool) else None
            hint = hint if default is not None else kind.hint | None
        parameters.append(inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hint))
        kinds[name] = kind.hint
        if need == "required" or draw(st.booleans()):
            given[name] = draw(kind.values)
    return made(parameters, kinds, given)


def made(parameters: list[inspect.Parameter], kinds: dict[str, Any], given: dict[str, Value]) -> Function:
    signature = Signature.of(handler_of(parameters))
    components = Components()
    spec = FunctionSpec("handler", "m:handler", parameters=signature.parameters, result=signature.result)
    client = DocumentedClient(path_item(DocumentedFunction(spec), components), components.schemas)
    required = frozenset(p.name for p in signature.parameters if p.required)
    return Function(signature, client, kinds, given, required)


many = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@many
@given(functions())
def test_what_the_document_allows_is_served(function: Function) -> None:
    """In every content type that it has, by query and by GET, with the arguments that were meant."""
    for sent in function.client.requests(function.given):
        arguments = function.signature.decode(sent.request)
        for name, value in function.given.items():
            assert plain(arguments[name]) == expected(value.expected, function.kinds[name]), (sent.media, name)
        assert arguments.keys() == function.given.keys()


def refused(function: Function, request: Request) -> InputError:
    with pytest.raises(InputError) as error:
        function.signature.decode(request)
    return error.value


@many
@given(functions(), st.data())
def test_a_missing_parameter_is_named(function: Function, data: st.DataObject) -> None:
    """Whatever the way, where the others are there. A text or bytes may be empty that alone is required.

    A raw body that could only be an optional parameter is told what to send instead (415).
    """
    needed = [function.kinds[name] for name in function.required]
    if not needed or needed in ([str], [bytes]):
        return
    missing = data.draw(st.sampled_from(sorted(function.required)))
    rest = {name: value for name, value in function.given.items() if name != missing}
    for sent in function.client.requests(rest, allowed=False):
        if sent.media in (JSON, "application/msgpack") and is_free(function):
            continue
        error = refused(function, sent.request)
        assert error.status == 415 or error.field.partition(".")[0] == missing, sent


def is_free(function: Function) -> bool:
    """Whether a JSON body may be something else than the object by name: bytes and dicts take any object."""
    return any(kind in (bytes, dict[str, int]) for kind in function.kinds.values())


@many
@given(functions())
def test_an_unknown_parameter_is_named(function: Function) -> None:
    """In the query of every request, and as a member or a field of every body that has names."""
    structured = set(function.kinds.values()) in ({Reading}, {Album}, {dict[str, int]})
    for sent in function.client.requests(function.given):
        if structured and not sent.request.body:
            continue  # a query alone may hold a structure's members
        asked = msgspec.structs.replace(sent.request, query=f"{sent.request.query}&other=1".strip("&"))
        assert "other" in refused(function, asked).field, sent
        if (body := with_other(sent, function)) is not None:
            assert "other" in refused(function, msgspec.structs.replace(sent.request, body=body)).field, sent


def with_other(sent: Sent, function: Function) -> bytes | None:
    """Return the body with a field or a member more; None where it has no names, or may have any."""
    body = bytes(sent.request.body)
    if sent.media == "application/x-www-form-urlencoded" and sent.holds:
        return body + b"&other=1"
    if sent.media == "multipart/form-data":
        boundary = sent.request.content_type.partition("boundary=")[2].encode()
        field = b'--%b\r\nContent-Disposition: form-data; name="other"\r\n\r\n1\r\n' % boundary
        return field + body
    if sent.media == JSON and not is_free(function) and isinstance(found := json.loads(body), dict):
        return json.dumps(found | {"other": 1}).encode()
    return None


@many
@given(functions(), st.data())
def test_a_wrong_value_is_named(function: Function, data: st.DataObject) -> None:
    """A member of a JSON object that its schema does not allow is refused with its name, or the path below it."""
    for sent in function.client.requests(function.given):
        if sent.media != JSON or not function.client.properties(JSON) or not sent.holds or is_free(function):
            continue
        name = data.draw(st.sampled_from(sorted(sent.holds)))
        wrong = data.draw(st.sampled_from([[[]], {"x": []}, 1.5, True, -1, "no", [None]]))
        if function.kinds[name] is Decimal:
            continue  # a JSON number is one as well
        body = json.loads(bytes(sent.request.body)) | {name: wrong}
        if not function.client.allows(JSON, body):
            asked = msgspec.structs.replace(sent.request, body=json.dumps(body).encode())
            error = refused(function, asked)
            assert error.field.removeprefix(name)[:1] in ("", ".", "["), (error, body)


WORDS = (
    *(int, float, bool, Literal["fast", "good"], Colour, datetime.date),
    *(Digit, uuid.UUID, datetime.datetime, Decimal),
)


@many
@given(functions(), st.data())
def test_a_wrong_word_is_named(function: Function, data: st.DataObject) -> None:
    """In forms and queries too, by POST and GET."""
    names = sorted(name for name in function.given if function.kinds[name] in WORDS)
    if not names:
        return
    name = data.draw(st.sampled_from(names))
    wrong = function.given | {name: function.given[name]._replace(texts=["snow man"])}
    for sent in function.client.requests(wrong):
        named = name in sent.holds and sent.media in ("application/x-www-form-urlencoded", "multipart/form-data")
        if named or "snow" in sent.request.query:
            assert refused(function, sent.request).field == name, sent


@many
@given(functions(), st.data())
def test_a_parameter_that_is_given_twice_is_named(function: Function, data: st.DataObject) -> None:
    """What is a field of a form stands not in the query as well."""
    for sent in function.client.requests(function.given):
        if sent.media not in ("application/x-www-form-urlencoded", "multipart/form-data") or not sent.holds:
            continue
        name = data.draw(st.sampled_from(sorted(sent.holds)))
        pairs = [*parse_qsl(sent.request.query, keep_blank_values=True), (name, function.given[name].texts[0])]
        if pairs[-1][1]:
            assert refused(function, msgspec.structs.replace(sent.request, query=urlencode(pairs))).field == name


@many
@given(functions())
def test_a_content_type_that_is_not_documented_is_refused(function: Function) -> None:
    """415 names what can be sent. Bytes, and an array of bytes, are of any type."""
    if bytes in function.kinds.values():
        return
    for sent in function.client.requests(function.given):
        if sent.request.body and sent.media == JSON:
            error = refused(function, msgspec.structs.replace(sent.request, content_type="application/xml"))
            assert error.status == 415
            assert "; send " in str(error)
