"""A request that takes more memory than there is: an error that says so, and a process that goes on."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from typing import Annotated

import numpy as np
import pytest
from numpy.typing import NDArray

from edgefn import tensor
from edgefn.codec.request.signature import Request, Signature

_IN_LITTLE_MEMORY = """
import os, resource
from pathlib import Path
from typing import Annotated, Any
import numpy as np
from edgefn import InputError, tensor
from edgefn.codec.request.signature import Request, Signature

def anything(value: Any) -> None: ...
def array(x: Annotated[np.ndarray, tensor("float32", "n")]) -> None: ...
def text(text: str) -> None: ...

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
many = 1 << 20
requests = [
    (anything, Request(JSON, b"[" + b"[]," * many + b"[]]")),
    (array, Request(JSON, b"[" + b"1," * 8 * many + b"1]")),
    (anything, Request("application/msgpack", b"\\xdd" + many.to_bytes(4, "big") + b"\\x80" * many)),
    (text, Request(FORM, b"text=" + b"%41" * many)),
]
Signature.of(array).decode(Request(JSON, b"[1]"))
used = int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGESIZE")
resource.setrlimit(resource.RLIMIT_DATA, (used + (24 << 20), -1))
for handler, request in requests:
    try:
        print(len(Signature.of(handler).decode(request)))
    except InputError as error:
        print(error.status, error)
    assert Signature.of(anything).decode(Request(JSON, b"[1]")) == {"value": [1]}
"""


def test_a_request_that_needs_more_memory_is_413() -> None:
    """Megabytes of JSON and msgpack may be a hundred times that in Python; escapes of a form are not (24 MiB here)."""
    run = subprocess.run([sys.executable, "-c", _IN_LITTLE_MEMORY], capture_output=True, text=True, check=True)
    *refused, form = run.stdout.splitlines()
    assert form == "1"
    assert len(refused) == 3
    for line in refused:
        assert line.startswith("413 the decoded request needs more memory than the function has; send less"), line


_TO_THE_END = """
import os, resource, sys
from pathlib import Path
from typing import Any
from edgefn import InputError
from edgefn.codec.request.signature import Request, Signature

def anything(value: Any) -> None: ...

signature = Signature.of(anything)
item = bytes.fromhex(sys.argv[1])
answered = {200: 0, 413: 0}
for size in range(11_000_000, 300_000, -700_000):  # what a large one leaves behind is found by a small one
    body = b"[" + item * (size // len(item)) + item[:-1] + b"]"
    used = int(Path("/proc/self/statm").read_text().split()[5]) * os.sysconf("SC_PAGESIZE")
    resource.setrlimit(resource.RLIMIT_DATA, (used + (40 << 20), -1))
    try:
        signature.decode(Request("application/json", body))
        answered[200] += 1
    except InputError as error:
        answered[error.status] += 1
    resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))
print(answered[200], answered[413])
"""


long = pytest.mark.long


@pytest.mark.parametrize(
    "item",
    [
        pytest.param('"%07d",', id="texts"),
        pytest.param('"a",', id="letters"),
        pytest.param("[],[],[],[],[],[]," * 9 + '"a text that comes once in a while",', id="few texts", marks=long),
        pytest.param('"öööööööö",', id="wide", marks=long),
        pytest.param('"aaaaaaaa😀",', id="emoji", marks=long),
        pytest.param('{"key": 1},', id="objects", marks=long),
        pytest.param('{"%s": 1},' % ("key" * 12), id="long keys", marks=long),
        pytest.param('[[], "some text"],', id="lists", marks=long),
        pytest.param('257,"x",', id="numbers"),
    ],
)
def test_a_document_whose_texts_end_the_memory_is_413(item: str) -> None:
    """Each size up to where the memory (40 MiB) is gone, and beyond: an answer or a refusal, and the process lives."""
    command = [sys.executable, "-c", _TO_THE_END, item.encode().hex()]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert run.returncode == 0, (run.returncode, run.stderr[-500:])
    answered, refused = map(int, run.stdout.split())
    assert answered >= 1
    assert refused >= 1


def pixels(x: Annotated[NDArray[np.uint8], tensor("uint8", "n")]) -> None: ...
def scores(x: Annotated[NDArray[np.float32], tensor("float32", "n")]) -> None: ...
def beside(x: Annotated[NDArray[np.float32], tensor("float32", "n")], scale: float = 1.0) -> None: ...


@pytest.mark.parametrize("handler", [pixels, scores, beside])
def test_raw_numbers_are_read_where_they_lie(handler: Callable[..., None]) -> None:
    """Octets are not copied: a body of megabytes would cost more than all that is done with it."""
    signature, body = Signature.of(handler), bytearray(8 << 20)
    signature.decode(Request("application/octet-stream", bytearray(8)))
    tracemalloc.start()
    try:
        signature.decode(Request("application/octet-stream", body))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < len(body) / 10
