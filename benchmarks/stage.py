"""What the figures are taken on: bundles built once a run, boxes with functions on them, and a photo to send."""

from __future__ import annotations

import atexit
import functools
import http.client
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from edgefn.bundle.oci.layout import Bundle
from tests.e2e import trust
from tests.e2e.box import RunningBox
from tests.e2e.bundles import EXAMPLES, Bundles, build

CLASSIFIER, ECHO, ARGMAX = "classify_image", "echo", "argmax"
SAMPLES = EXAMPLES / CLASSIFIER / "samples"
FUNCTIONS = Path(__file__).parent / "functions"
TIMEOUT_S = 30.0
KEPT_S = 2.0
"""A connection that lay idle for longer is opened anew: servers close theirs after some seconds."""


@dataclass(frozen=True)
class Body:
    """What a request carries."""

    data: bytes
    content_type: str

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.data)


PHOTO = Body((SAMPLES / "rocket.jpg").read_bytes(), "image/jpeg")
"""112,525 bytes, 640x427, as it comes with classify_image: not encoded anew."""
ONE = Body(b'{"n": 1}', "application/json")


class Workshop(Bundles):
    """Builds the functions of benchmarks/functions too."""

    def source(self, name: str) -> Path:
        return FUNCTIONS / name if (FUNCTIONS / name).is_dir() else super().source(name)

    def natively(self, name: str) -> Bundle:
        """`name` of functions/ or benchmarks/functions with an artifact for every target that this machine can run."""
        return self.built(native(name), self.source(name), "--target", "all-native")

    def report(self, name: str) -> dict[str, Any]:
        """Return what the build of `name` by `natively` told of it."""
        report: dict[str, Any] = json.loads((self.layout(native(name)).path / "reports" / f"{name}.json").read_bytes())
        return report

    def build_anew(self, name: str) -> float:
        """Seconds that a build of `name` takes when nothing is cached, the interpreter's start included."""
        began, layout = time.perf_counter(), self.layout(name)
        digest = build(EXAMPLES / name, layout.path, "--force")
        took = time.perf_counter() - began
        self._built[name] = layout.open(digest)
        return took


def native(name: str) -> str:
    """What the bundle of `name` with all its artifacts goes by."""
    return f"{name} for all-native"


@functools.cache
def workshop() -> Workshop:
    """The run's bundles, in a folder that is gone when the run ends."""
    folder = tempfile.TemporaryDirectory(prefix="edgefn-bench-")
    atexit.register(folder.cleanup)
    return Workshop(Path(folder.name))


@functools.cache
def scaled(name: str, fewest: int, most: int, *, natively: bool = False) -> Bundle:
    """`name`'s bundle with another scale: the very same layers under another config."""
    config = (workshop().natively(name) if natively else workshop().of(name)).config
    function = msgspec.structs.replace(config.function, scale=(fewest, most))
    config = msgspec.structs.replace(config, function=function)
    title = f"{name}-{fewest}-{most}-{natively}"
    return workshop().with_config(native(name) if natively else name, config, title=title)


@contextmanager
def running(*bundles: Bundle) -> Iterator[RunningBox]:
    """A box with the bundles deployed, nobody using it."""
    with tempfile.TemporaryDirectory(prefix="edgefn-bench-") as folder, RunningBox(Path(folder) / "box") as box:
        for bundle in bundles:
            box.deploy(bundle)
        yield box


class Caller:
    """Sends one body again and again on one connection: less of a client in the figures than a whole HTTP library."""

    def __init__(self, url: str, body: Body, method: str = "POST") -> None:
        address = urlsplit(url)
        assert address.hostname
        if address.scheme == "https":  # a box of the benchmark's own, whose certificate nobody knows
            self._connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                address.hostname, address.port, timeout=TIMEOUT_S, context=trust.anybody()
            )
        else:
            self._connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIMEOUT_S)
        self._method = method
        self._path = address.path
        self._body = body
        self._used_at = 0.0
        self.server_timing = ""

    def __call__(self) -> float:
        """Seconds until the whole answer was there. Raises RuntimeError when it is not a success."""
        began = time.perf_counter()
        self.answer()
        return time.perf_counter() - began

    def answer(self) -> bytes:
        """The answer's body. Raises RuntimeError when it is not a success."""
        if time.monotonic() - self._used_at > KEPT_S:
            self._connection.close()
        headers = {"content-type": self._body.content_type}
        self._connection.request(self._method, self._path, self._body.data, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        self._used_at = time.monotonic()
        self.server_timing = answer.getheader("server-timing", "")
        if answer.status != 200:
            raise RuntimeError(f"{self._path}: {answer.status} {said.decode(errors='replace')}")
        return said


def caller(box: RunningBox, name: str, body: Body) -> Caller:
    """Calls function `name` of `box`."""
    return Caller(f"{box.url}/fn/{name}", body)
