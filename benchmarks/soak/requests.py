"""The mix of requests: each as bytes, with the one body that is its right answer."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.stage import CLASSIFIER, PHOTO
from tests.e2e.box import RunningBox

BODIES = 64
LARGEST = 64 * 2**10
WEIGHTS = {"echo": 80, "digest": 17, CLASSIFIER: 3}


class Exchange(NamedTuple):
    """One request to a function, and what it must be answered with."""

    function: str
    request: bytes
    answer: bytes


def mix(box: RunningBox, seed: int) -> Iterator[Exchange]:
    """Exchanges without end, by WEIGHTS; the photo's answer is what the box says now, before anything is wrong."""
    chance = random.Random(seed)
    digests = [_digest(chance.randbytes(chance.randrange(1, LARGEST))) for _ in range(BODIES)]
    picture = _photo(box)
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    number = 0
    while True:
        number += 1
        match chance.choices(names, weights)[0]:
            case "echo":
                yield _echo(number)
            case "digest":
                yield chance.choice(digests)
            case _:
                yield picture


def _echo(number: int) -> Exchange:
    return Exchange("echo", _post("echo", b'{"n":%d}' % number, "application/json"), b'{"n":%d}' % (number + 1))


def _digest(body: bytes) -> Exchange:
    request = _post("digest", body, "application/octet-stream")
    return Exchange("digest", request, json.dumps(hashlib.sha256(body).hexdigest()).encode())


def _photo(box: RunningBox) -> Exchange:
    answer = box.send(CLASSIFIER, PHOTO.data, PHOTO.content_type).raise_for_status().content
    assert len(json.loads(answer)) == 5
    return Exchange(CLASSIFIER, _post(CLASSIFIER, PHOTO.data, PHOTO.content_type), answer)


def _post(name: str, body: bytes, kind: str) -> bytes:
    head = f"POST /fn/{name} HTTP/1.1\r\nhost: box\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body
