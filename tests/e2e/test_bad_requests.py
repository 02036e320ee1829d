"""Requests that cannot be served: each gets the status and the words that say what to change."""

from __future__ import annotations

import gzip
import io
import socket
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from struct import pack

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.e2e.box import RunningBox
from tests.e2e.deadline import eventually

Deployed = Callable[[str], RunningBox]

LARGE = b'{"n": 18446744073709551615}'
"""The number after it is one that MessagePack does not hold."""


def photo(kind: str) -> bytes:
    """A picture with detail in it, so that its file is long enough to cut."""
    noise = np.random.default_rng(7).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def bomb() -> bytes:
    """A PNG of a few kilobytes that claims 60000 x 60000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return pack(">I", len(data)) + kind + data + pack(">I", zlib.crc32(kind + data))

    header = pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def assert_problem(answer: httpx.Response, status: int, *words: str) -> None:
    """A problem+json of `status` whose detail has `words`."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["title"]
    for word in words:
        assert word in problem["detail"], problem


def test_a_good_photo_passes(deployed: Deployed) -> None:
    """The photos below are refused for what was done to them and for nothing else."""
    for kind in ("JPEG", "PNG"):
        answer = deployed("measure").send("measure", photo(kind), f"image/{kind.lower()}")
        assert answer.json()[:2] == [96, 64], answer.text


def test_a_result_that_no_accepted_form_holds(deployed: Deployed) -> None:
    """406 with what to ask for; the answer to that is right, the function counts no error and its log has no trace."""
    box = deployed("echo")
    before = box.status("echo")
    answer = box.send("echo", LARGE, "application/json", accept="application/msgpack, text/html")
    assert_problem(answer, 406, "application/msgpack cannot hold the result", "$.n is 18446744073709551616")
    assert answer.json()["available"] == ["application/json"]
    right = box.send("echo", LARGE, "application/json", accept=answer.json()["available"][0])
    assert (right.status_code, right.content) == (200, b'{"n":18446744073709551616}')
    refused = box.send("echo", LARGE, "application/json", accept="*/*;q=0")
    assert_problem(refused, 406, "Accept excludes each form of the result", "ask for application/json")
    assert box.status("echo").errors == before.errors
    assert "Traceback" not in box.logs("echo")


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("text", b"this is not an image"),
        ("nothing", b""),
        ("a truncated JPEG", photo("JPEG")[:-400]),
        ("a truncated PNG", photo("PNG")[:-400]),
        ("a decompression bomb", bomb()),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_not_a_whole_image(deployed: Deployed, what: str, body: bytes) -> None:
    """400 with the reason, for each kind of broken picture, and the instance lives on."""
    box = deployed("measure")
    box.send("measure", photo("PNG"), "image/png")
    before = [instance.pid for instance in box.status("measure").instances]
    assert_problem(box.send("measure", body, "image/jpeg"), 400)
    assert [instance.pid for instance in box.status("measure").instances] == before


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"seconds": "soon"}', "seconds"),
        (b'{"minutes": 1}', ""),
        (b"{}", "seconds"),
        (b'{"seconds": 0', ""),
        (b"[]", ""),
        (b"\xff\xfe", ""),
    ],
    ids=["wrong-type", "unknown-field", "missing-field", "cut-off", "array", "not-utf8"],
)
def test_json_that_does_not_fit(deployed: Deployed, body: bytes, named: str) -> None:
    """400 naming the field."""
    assert_problem(deployed("slow").send("slow", body, "application/json"), 400, named)


def test_a_type_that_cannot_be_read(deployed: Deployed) -> None:
    """415, or 400, for a content type the handler's input cannot come from."""
    answer = deployed("slow").send("slow", b"<seconds>1</seconds>", "application/xml")
    assert answer.status_code in (400, 415), answer.text


def test_an_array_of_the_wrong_shape(deployed: Deployed) -> None:
    """The handler takes a list of any length and gives its model a wrong one: the author's 500, with a trace.

    The caller has kept to what the function says of itself. What it says is widened by declaring the parameter.
    """
    box = deployed("linear")
    answer = box.invoke("linear", x=[1, 2, 3])
    assert_problem(answer, 500, "raised an exception")
    words = ("ModelInputError", "input 'x' has float32[1, 3], needs float32[batch, 4]", "linear.py")
    eventually("the trace is in the log", lambda: all(word in box.logs("linear") for word in words))


def test_a_compressed_body(deployed: Deployed) -> None:
    """gzip and deflate are undone before anything is read, within max_body; another coding is a 415 that says so."""
    box = deployed("linear")
    body = b'{"x": [1, 2, 3, 4]}'
    for coding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
        answer = box.send("linear", packed, "application/json", **{"content-encoding": coding})
        assert answer.json() == [3, 5, 7, 9], answer.text
    answer = box.send("linear", body, "application/json", **{"content-encoding": "br"})
    assert_problem(answer, 415, "br", "gzip")
    assert answer.headers["accept-encoding"] == "gzip, deflate"
    bomb = gzip.compress(bytes(1 << 26))
    assert_problem(box.send("linear", bomb, "application/json", **{"content-encoding": "gzip"}), 413, "unpacks")


def test_a_body_over_the_limit(deployed: Deployed) -> None:
    """413, before it is read: the answer comes although the client has sent no more than the headers."""
    box = deployed("measure")
    host, _, port = box.url.removeprefix("http://").partition(":")
    head = "POST /fn/measure HTTP/1.1\r\nhost: box\r\ncontent-type: image/png\r\ncontent-length: 99000000\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as client:
        client.sendall(head.encode())
        assert client.recv(12) == b"HTTP/1.1 413"


def test_a_body_over_the_limit_without_a_declared_length(deployed: Deployed) -> None:
    """A chunked body is counted as it comes: 413 too."""
    box = deployed("measure")
    answer = box.http.post("/fn/measure", content=iter([bytes(65536)] * 20), headers={"content-type": "image/png"})
    assert_problem(answer, 413)


def test_a_function_that_is_not_there(box: RunningBox) -> None:
    """404 naming it, for an invocation, a status and a stop."""
    assert_problem(box.invoke("nobody"), 404, "nobody")
    assert_problem(box.admin("GET", "functions/nobody"), 404, "nobody")
    assert_problem(box.admin("POST", "functions/nobody/stop"), 404, "nobody")


def test_a_full_queue(deployed: Deployed) -> None:
    """One runs, one waits, the third gets 429 at once, with a whole number of seconds in Retry-After."""
    box = deployed("narrow")
    box.call("narrow", seconds=0)
    with ThreadPoolExecutor(2) as callers:
        held = [callers.submit(box.invoke, "narrow", seconds=1.0) for _ in range(2)]
        eventually("one request waits", lambda: box.status("narrow").queued == 1)
        refused = box.invoke("narrow", seconds=0)
        answers = [one.result() for one in held]
    assert_problem(refused, 429)
    assert int(refused.headers["retry-after"]) >= 1
    assert [answer.status_code for answer in answers] == [200, 200]


def test_a_client_that_leaves_frees_its_place(deployed: Deployed) -> None:
    """A request whose client has gone no longer waits in the queue."""
    box = deployed("narrow")
    box.call("narrow", seconds=0)
    with ThreadPoolExecutor(1) as caller:
        running = caller.submit(box.invoke, "narrow", seconds=1.5)
        eventually("one request runs", lambda: box.status("narrow").instances[0].in_flight == 1)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{box.url}/fn/narrow", json={"seconds": 0}, timeout=0.3)
        eventually("nobody waits", lambda: box.status("narrow").queued == 0)
        assert running.result().status_code == 200


@pytest.mark.parametrize("token", ["", "Bearer wrong", "Basic YTpi"])
def test_the_admin_api_wants_the_token(box: RunningBox, token: str) -> None:
    """401 without the box's token; invocations and health need none."""
    headers = {"authorization": token} if token else {}
    assert_problem(box.http.get("/admin/functions", headers=headers), 401)
    assert box.http.get("/healthz").status_code == 200


def test_the_token_is_its_owners_alone(box: RunningBox) -> None:
    """The token's file can be read by the user of the box and by nobody else."""
    assert (box.home / "token").stat().st_mode & 0o777 == 0o600
