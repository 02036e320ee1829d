"""Clients that ask one request after another, each on a connection of its own, and keep what came of each.

A plain HTTP client of the standard library on purpose: it never asks twice for one request.
"""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.e2e.box import RunningBox

PATIENCE_S = 60.0


@dataclass(frozen=True)
class Answered:
    """One request and what came of it: `status` 0 when its connection ended without an answer."""

    number: int
    function: str
    status: int
    detail: str = ""
    right: bool = True
    retry_after: str = ""


@dataclass(frozen=True)
class Asked:
    """One request: where to, what, and the one answer that is right."""

    number: int
    function: str
    body: bytes
    content_type: str
    right: object


def ask_witness(number: int) -> Asked:
    """A short call whose begin is in the log."""
    body = json.dumps({"n": number, "seconds": 0.005}).encode()
    return Asked(number, "witness", body, "application/json", {"n": number + 1})


def ask_digest(number: int) -> Asked:
    """A body of up to 64 KiB that no other request has."""
    body = random.Random(number).randbytes(1 + number * 7919 % 65536)
    return Asked(number, "digest", body, "application/octet-stream", hashlib.sha256(body).hexdigest())


class Clients:
    """`crowd` clients of `box`, each asking what `ask` makes of the next number."""

    def __init__(self, box: RunningBox, ask: Callable[[int], Asked], *, crowd: int = 8) -> None:
        self._box = box
        self._ask = ask
        self._crowd = crowd
        self._numbers = itertools.count(1)
        self._over = threading.Event()

    def run(self, seconds: float) -> list[Answered]:
        """All requests that were asked within `seconds`, each with its answer."""
        until = time.monotonic() + seconds
        with ThreadPoolExecutor(self._crowd) as threads:
            return [one for found in threads.map(self._client, [until] * self._crowd) for one in found]

    def _client(self, until: float) -> list[Answered]:
        found = []
        connection = self._connect()
        while time.monotonic() < until:
            asked = self._ask(next(self._numbers))
            try:
                found.append(_answer(connection, asked))
            except (OSError, http.client.HTTPException) as error:
                found.append(Answered(asked.number, asked.function, 0, f"{type(error).__name__}: {error}"))
                connection.close()
                connection = self._connect()
        connection.close()
        return found

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._box.url.removeprefix("http://"), timeout=PATIENCE_S)


def _answer(connection: http.client.HTTPConnection, asked: Asked) -> Answered:
    connection.request("POST", f"/fn/{asked.function}", asked.body, {"content-type": asked.content_type})
    response = connection.getresponse()
    body = response.read()
    if response.status == 200:
        return Answered(asked.number, asked.function, 200, right=_value(response, body) == asked.right)
    again = response.getheader("retry-after", "")
    return Answered(asked.number, asked.function, response.status, _detail(response, body), retry_after=again)


def _detail(response: http.client.HTTPResponse, body: bytes) -> str:
    """The problem's detail; what is no problem+json is told whole, so that a test sees it."""
    problem = response.getheader("content-type") == "application/problem+json"
    return str(json.loads(body)["detail"]) if problem else f"no problem+json: {body!r}"


def _value(response: http.client.HTTPResponse, body: bytes) -> object:
    return json.loads(body) if response.getheader("content-type") == "application/json" else body.decode()
