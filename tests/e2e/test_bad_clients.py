"""Clients that mean no good, or are many: slow to ask, slow to read, thousands at once, more than the box can hold."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import msgspec
import psutil
import pytest

from edgefn.bundle import layers
from edgefn.bundle.config import BundleConfig
from edgefn.bundle.oci.layout import Bundle, Layout
from tests.e2e.box import RunningBox
from tests.e2e.bundles import Bundles
from tests.e2e.deadline import eventually
from tests.e2e.faults import request

PATIENCE_S = 1.0
CROWD = 2000
MANY = 100


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, bundles: Bundles) -> Iterator[RunningBox]:
    """A box that gives its clients one second instead of thirty."""
    options = ["--client-timeout", str(PATIENCE_S)]
    with RunningBox(tmp_path_factory.mktemp("strict") / "box", options=options) as box:
        for name in ("generous", "brief"):
            box.deploy(bundles.of(name))
        yield box


def address(box: RunningBox) -> tuple[str, int]:
    host, _, port = box.url.removeprefix("http://").partition(":")
    return host, int(port)


def connect(box: RunningBox) -> socket.socket:
    """A connection; the box has it in its hands or in its queue."""
    return socket.create_connection(address(box), timeout=10)


def until(moment: float) -> None:
    """The monotonic clock shows `moment`."""
    eventually("the next piece is due", lambda: time.monotonic() > moment)


def until_closed(client: socket.socket, trickle: bytes) -> tuple[bytes, float]:
    """All that the box said until it closed, and after how long, to a client that sends `trickle` again and again."""
    began = time.monotonic()
    client.settimeout(0.05)
    said = b""
    while time.monotonic() - began < 20:
        try:
            client.sendall(trickle)
            if not (piece := client.recv(65536)):
                return said, time.monotonic() - began
            said += piece
        except TimeoutError:
            continue
        except ConnectionError:
            return said, time.monotonic() - began
    raise AssertionError("the box never closed the connection")


@pytest.mark.parametrize(
    ("begun", "trickle"),
    [(b"", b""), (b"GET /healthz HTTP/1.1\r\nx-slow: ", b"z"), (b"", b"\r\n")],
    ids=["says-nothing", "endless-header", "empty-lines"],
)
def test_a_head_that_never_ends(strict: RunningBox, begun: bytes, trickle: bytes) -> None:
    """408 and the end of the connection when the patience is over, however many bytes still come."""
    with connect(strict) as client:
        client.sendall(begun)
        said, after = until_closed(client, trickle)
    assert said.startswith(b"HTTP/1.1 408 ") or not said, said
    assert PATIENCE_S * 0.8 < after < PATIENCE_S + 5


def test_a_body_that_trickles(strict: RunningBox) -> None:
    """408 as a problem that says what was late; no instance was started for it."""
    strict.stop_function("brief")
    with connect(strict) as client:
        client.sendall(request("brief", b"{", declared=100_000))
        said, after = until_closed(client, b" ")
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 "), said
    assert "body" in json.loads(body)["detail"]
    assert PATIENCE_S * 0.8 < after < PATIENCE_S + 5
    assert strict.status("brief").state == "idle"


def test_a_second_request_that_never_ends(strict: RunningBox) -> None:
    """A client that was answered once has no more time for its next request than for its first."""
    with connect(strict) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nhost: box\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200")
        client.sendall(b"GET /heal")
        _, after = until_closed(client, b"t")
    assert after < PATIENCE_S + 5


def test_a_slow_body_that_goes_on_is_served(strict: RunningBox) -> None:
    """A slow uplink is no attack: a body that takes longer than the patience at 60 kB/s arrives."""
    body = json.dumps({"mebibytes": 0}).encode() + b" " * 120_000
    with connect(strict) as client:
        client.sendall(request("generous", b"", declared=len(body)))
        began = time.monotonic()
        for start in range(0, len(body), 3000):
            client.sendall(body[start : start + 3000])
            until(began + start / 60_000)
        assert time.monotonic() - began > PATIENCE_S
        assert client.recv(65536).startswith(b"HTTP/1.1 200")


def test_clients_that_do_not_read_hold_nothing(strict: RunningBox) -> None:
    """Forty clients that leave answers of 4 MiB unread hold no instance meanwhile, and no memory after a while."""
    strict.invoke("generous", mebibytes=4).raise_for_status()
    process = psutil.Process(strict.pid)
    before = process.memory_info().rss
    with ExitStack() as clients:
        for _ in range(40):
            client = clients.enter_context(connect(strict))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(request("generous", b'{"mebibytes": 4}'))
        assert strict.invoke("generous", mebibytes=1).status_code == 200, "the one instance is held by nobody"
        eventually("the answers were cut off", lambda: len(process.net_connections("tcp")) <= 3)
        eventually("the memory is free again", lambda: process.memory_info().rss < before + 32 * 2**20)


def test_a_slow_reader_who_goes_on_gets_it_all(strict: RunningBox) -> None:
    """An answer that takes several times the patience to read arrives whole."""
    size = 6 * 2**20
    with connect(strict) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.sendall(request("generous", b'{"mebibytes": 6}'))
        began, got = time.monotonic(), 0
        while got < size:
            piece = client.recv(64 * 1024)
            assert piece, f"cut off after {got} bytes"
            got += len(piece)
            until(began + got / 2e6)
    assert time.monotonic() - began > 2 * PATIENCE_S


def patient(bundle: Bundle, bundles: Bundles) -> Bundle:
    """The function with a queue and a timeout for a crowd."""
    function = msgspec.structs.replace(bundle.config.function, queue=2 * CROWD, timeout_s=60.0)
    config = msgspec.structs.replace(bundle.config, function=function)
    return bundles.with_config("echo", config, title="patient-echo")


def test_a_crowd_is_answered(new_box: Callable[[], RunningBox], bundles: Bundles) -> None:
    """2,000 connections at once, one request each: every one gets its own right answer."""
    room = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    crowd = CROWD if room < 0 else min(CROWD, room // 2)  # a machine whose hard limit is low sees a smaller crowd
    box = new_box()
    box.deploy(patient(bundles.of("echo"), bundles))
    assert asyncio.run(ask_all(box, crowd)) == [{"n": number + 1} for number in range(crowd)]


async def ask_all(box: RunningBox, crowd: int) -> list[object]:
    """The answers to `crowd` clients that are all connected before the first of them asks."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        streams = [await asyncio.open_connection(*address(box)) for _ in range(crowd)]
        for number, (_, writer) in enumerate(streams):
            writer.write(request("echo", b'{"n": %d}' % number))
        answers = [await read_answer(reader) for reader, _ in streams]
        for _, writer in streams:
            writer.close()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return answers


async def read_answer(reader: asyncio.StreamReader) -> object:
    """The JSON of an answer with a declared length; fails the test when it is not a 200."""
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    assert head.startswith(b"HTTP/1.1 200"), head
    (length,) = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return json.loads(await reader.readexactly(int(length.partition(b":")[2])))


def test_more_clients_than_places(tmp_path: Path, bundles: Bundles) -> None:
    """Clients get three quarters of the descriptors: the next one is told 503, and a cold start still has its own.

    A few places are kept: with all others taken, and silent clients before the door, health and the admin API answer.
    """
    with RunningBox(tmp_path / "box", before=["prlimit", "--nofile=200:200"]) as box, ExitStack() as clients:
        box.deploy(bundles.of("brief"))
        box.stop_function("brief")
        some = [clients.enter_context(connect(box)) for _ in range(170)]
        eventually("the box has taken them", lambda: len(psutil.Process(box.pid).net_connections("tcp")) > 148)
        told = eventually("one is told", lambda: refusal(box, clients), seconds=5)
        assert b"retry-after: " in told
        for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 200), ("/admin/box", 401)):
            assert httpx.get(f"{box.url}{path}").status_code == status, path
        token = {"authorization": f"Bearer {box.token}"}
        assert httpx.get(f"{box.url}/admin/functions/brief", headers=token).status_code == 200
        for client in some[:10]:
            client.close()
        eventually("the function starts, for a client that finds a place", lambda: box.invoke("brief").is_success)


def refusal(box: RunningBox, clients: ExitStack) -> bytes:
    """What the box says to one more client that calls a function, when it is a refusal."""
    client = clients.enter_context(connect(box))
    client.settimeout(0.2)
    client.sendall(request("brief", b"{}"))
    try:
        said = client.recv(65536)
    except TimeoutError:
        return b""
    return said if said.startswith(b"HTTP/1.1 503 ") else b""


def test_out_of_descriptors(new_box: Callable[[], RunningBox], bundles: Bundles) -> None:
    """A box that can open nothing more lives, does not spin, answers those who are there, and recovers when they go."""
    box = new_box()
    for name in ("slow", "brief"):
        box.deploy(bundles.of(name))
    box.stop_function("brief")
    process = psutil.Process(box.pid)
    with httpx.Client(base_url=box.url, timeout=30) as there, ExitStack() as clients:
        assert there.post("/fn/slow", json={"seconds": 0}).status_code == 200
        full = process.num_fds() + 20
        resource.prlimit(box.pid, resource.RLIMIT_NOFILE, (full, full))
        for _ in range(100):
            clients.enter_context(connect(box))
        eventually("the box is full", lambda: process.num_fds() >= full - 1)
        assert there.post("/fn/slow", json={"seconds": 0}).status_code == 200
        assert busy(process, seconds=0.5) < 0.5
        assert there.post("/fn/brief", json={}).status_code in (200, 503), "what must be started is told to try again"
    eventually("its descriptors are free", lambda: process.num_fds() < full - 15)
    with httpx.Client(base_url=box.url, timeout=30) as new:
        eventually("brief starts again", lambda: new.post("/fn/brief", json={}).status_code == 200)


def busy(process: psutil.Process, *, seconds: float) -> float:
    """The share of one core that the process takes."""
    return float(process.cpu_percent(seconds)) / 100


@pytest.mark.long
def test_a_hundred_functions_on_one_box(new_box: Callable[[], RunningBox], bundles: Bundles, tmp_path: Path) -> None:
    """All are there at once; then each is called, and each answers as itself."""
    box = new_box()
    config = bundles.of("brief").config
    for number in range(MANY):
        box.deploy(one_of_many(number, config, tmp_path / f"many-{number}"))
    answers = {number: box.call(f"many_{number}") for number in range(MANY)}
    assert answers == {number: number for number in range(MANY)}
    assert len(box.functions()) == MANY


def one_of_many(number: int, config: BundleConfig, folder: Path) -> Bundle:
    """A function that returns its number, bundled as `config` but without a build."""
    source = folder / "source"
    source.mkdir(parents=True)
    code = f"from edgefn import edge_function\n\n@edge_function()\ndef number() -> int:\n    return {number}\n"
    (source / "tiny.py").write_text(code)
    function = msgspec.structs.replace(config.function, name=f"many_{number}", entry="tiny:number")
    layout = Layout(folder / "layout")
    layer = layers.code(source, folder / "code.tar")
    return layout.open(layout.write(msgspec.structs.replace(config, function=function), [layer]))
