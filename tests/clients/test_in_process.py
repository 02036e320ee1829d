"""`edgefn.testing.call` answers as a real box does: each input, each way, each Accept, each failure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgefn.function import EdgeFunction
from edgefn.testing import HttpAnswer, call
from tests.clients.calls import Call, encoded
from tests.clients.catalogue import FUNCTIONS, bundles, functions_of, imported
from tests.clients.table import Cell, cells
from tests.e2e.box import RunningBox

FAULTS = Path(__file__).parent / "faults"
FAULTY = functions_of(imported(FAULTS / "faults.py"))
FORMS = [
    *("", "*/*", "application/json", "application/msgpack", "application/x-npy", "application/octet-stream"),
    *(
        "text/plain",
        "text/html",
        "image/*",
        "image/jpeg;q=0.5, image/webp",
        "application/json;q=0",
        "image/png, */*;q=0",
    ),
]
GIVING = [name for name in FUNCTIONS if name.startswith("give_")]
CELLS = list(cells())


@pytest.fixture(scope="module")
def faulty_box(kinds_box: RunningBox, tmp_path_factory: pytest.TempPathFactory) -> RunningBox:
    """The box of all clients, with the functions that fail on it."""
    for bundle in bundles(tmp_path_factory.mktemp("faults"), FAULTS, [one.spec for one in FAULTY.values()]):
        kinds_box.deploy(bundle)
    return kinds_box


def _told(status: int, headers: Any, body: bytes) -> tuple[Any, ...]:
    """Return what must be the same here and there: all but the id of a problem that has its own."""
    media = headers.get("content-type", "")
    if media == "application/problem+json":
        members = json.loads(body)
        known = members.pop("id", "")
        if known:
            assert known == headers["x-request-id"]
            members["detail"] = members["detail"].replace(known, "ID")
        return status, media, headers.get("accept-encoding"), members
    return status, media, headers["content-length"], body


def _there(answer: httpx.Response) -> tuple[Any, ...]:
    return _told(answer.status_code, answer.headers, answer.content)


def _here(answer: HttpAnswer) -> tuple[Any, ...]:
    assert answer.ok == (answer.error is None)
    return _told(answer.status, answer.headers, answer.body)


def _called(one: Call) -> HttpAnswer:
    """Return the answer to a call, made as an author writes it."""
    function, query = FUNCTIONS[one.function], _grouped(one.query)
    if one.form is not None:
        return call(function, data=_grouped(one.form), query=query)
    if one.multipart is not None:
        fields = _grouped([(part.name, part.data.decode()) for part in one.multipart if part.filename is None])
        files: dict[str, Any] = {}
        for part in one.multipart:
            if part.filename is not None:
                files.setdefault(part.name, []).append((part.filename, part.data, part.media))
        return call(function, data=fields, files=files, query=query)
    headers = {"content-type": one.media} if one.media else {}
    return call(function, data=one.body, headers=headers, query=query)


def _grouped(pairs: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name, []).append(value)
    return found


def test_each_input_in_each_way_is_answered_as_a_box_does(kinds_box: RunningBox) -> None:
    """Status, content type, and every byte of the body or every member of the problem."""

    def there(cell: Cell) -> tuple[Any, ...]:
        media, body = encoded(cell.call)
        headers = {"content-type": media} if media else {}
        return _there(kinds_box.http.post(cell.call.path, content=body, headers=headers))

    wrong = [(cell.kind.function, cell.way) for cell in CELLS if _here(_called(cell.call)) != there(cell)]
    assert not wrong


def test_each_result_in_each_form_is_a_boxs(kinds_box: RunningBox) -> None:
    """By Accept: the same form with the same bytes, or the same 406."""
    for name in GIVING:
        for accept in FORMS:
            there = kinds_box.http.post(f"/fn/{name}", headers={"accept": accept})
            assert _here(call(FUNCTIONS[name], accept=accept)) == _there(there), (name, accept)


def _faults() -> Iterator[tuple[EdgeFunction[..., Any], dict[str, Any]]]:
    for how in ("own", "picture", "media", "plain", "unacceptable"):
        for length in (1, 3000):
            yield FAULTY["refuses"], {"how": how, "length": length}
    for how in ("exit", "cancelled", "raise"):
        yield FAULTY["fails"], {"how": how}
    for how in ("cancel", "raise", "answer"):
        yield FAULTY["later"], {"how": how}
    for n in (1, -1, 101):
        yield FAULTY["checks"], {"value": {"n": n}}
    for what in ("tuple key", "complex", "object", "surrogate", "nan", "large", "generator"):
        yield FAULTY["gives"], {"what": what}
    for text in ("", "x" * 100):
        yield FAULTY["small"], {"text": text}


def test_each_failure_is_told_as_a_box_tells_it(faulty_box: RunningBox) -> None:
    """A handler that refuses, raises, exits, is cancelled, or answers what cannot be sent."""
    for function, given_json in _faults():
        large = given_json == {"what": "large"}
        for accept in ("", "application/json", "application/msgpack")[: 1 if large else 3]:
            there = faulty_box.http.post(f"/fn/{function.spec.name}", json=given_json, headers={"accept": accept})
            here = call(function, json=given_json, accept=accept)
            assert _here(here) == _there(there), (function, given_json, accept)
    assert _here(call(FAULTY["patient"], query={"n": 3, "utm": "x"})) == _there(
        faulty_box.http.get("/fn/patient", params={"n": 3, "utm": "x"})
    )


MEDIA = st.sampled_from([None, *sorted({one for cell in CELLS if (one := encoded(cell.call)[0])})]) | st.text(
    st.characters(min_codepoint=33, max_codepoint=126), max_size=20
)
BODIES = st.sampled_from([encoded(cell.call)[1] or b"" for cell in CELLS]) | st.binary(max_size=60)
QUERIES = st.text("ab=&%1", max_size=9)
CODINGS = st.sampled_from(["", "", "", "gzip", "deflate", "br", "gzip, deflate"])


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(sorted(FUNCTIONS)), MEDIA, BODIES, CODINGS, st.sampled_from(FORMS), st.text("ab=&%1", max_size=9)
)
def test_any_request_is_answered_as_a_box_does(
    kinds_box: RunningBox, name: str, media: str | None, body: bytes, coding: str, accept: str, query: str
) -> None:
    """Whatever bytes, content type, coding, Accept and query come."""
    headers = {"accept": accept, "content-encoding": coding} | ({"content-type": media} if media else {})
    there = kinds_box.http.post(f"/fn/{name}?{query}", content=body, headers=headers)
    assert _here(call(FUNCTIONS[name], data=body, headers=headers, query=query)) == _there(there)
