"""64 connections of every kind that means harm: nobody else is kept from being served, and the box stays small."""

from __future__ import annotations

import json
import socket
import subprocess
import time
from collections import defaultdict
from pathlib import Path

import psutil

from tests import programs
from tests.e2e.box import RunningBox
from tests.e2e.bundles import Bundles
from tests.e2e.deadline import eventually

SECONDS = 4.0
MAX_BYTES = 150e6
TOLD = {
    "endless_header": {431},
    "many_fields": {431},
    "endless_trailer": {431},
    "endless_target": {414},
    "too_large": {413},
    "websocket": {426},
    "ambiguous": {400, 501},
    "strangers": {403, 421},
    "wrong_tokens": {401},
    "pipelined_documents": {200},
}
"""What a kind of client is answered, and nothing else, where it is answered at all."""
HOLDING = {
    *("endless_header", "many_fields", "endless_trailer", "endless_target"),
    *("websocket", "wrong_tokens", "pipelined_documents"),
}
"""Kinds whose heads or requests wait to be parsed: 503 where all of these are more than the box may hold."""


def test_others_are_served_beside_hostile_clients(tmp_path: Path, bundles: Bundles) -> None:
    """Each call of another function has its answer, the box holds under 150 MB, and its log holds no fault.

    The figure of how much later those answers come is benchmarks/hostile.py's.
    """
    with RunningBox(tmp_path / "box", options=["--client-memory", "16MiB"]) as box:
        for name in ("echo", "generous", "counts"):
            box.deploy(bundles.of(name))
        box.call("counts", seconds=0)
        process, said_before = psutil.Process(box.pid), len(box.words())
        host, _, port = box.url.removeprefix("http://").partition(":")
        command = programs.command("tests.e2e.hostile", host, port, str(SECONDS))
        clients = subprocess.Popen(command, stdout=subprocess.PIPE)
        calls, largest = 1, 0
        while clients.poll() is None:
            calls += 1
            assert box.call("counts", seconds=0) == calls, "each is answered, and none twice"
            largest = max(largest, process.memory_info().rss)
            time.sleep(0.005)
        assert clients.returncode == 0
        told = json.loads(clients.communicate()[0])
        assert largest < MAX_BYTES
        said = box.words()[said_before:].splitlines()
        assert [line for line in said if "wrong token" not in line] == []
        assert len(said) < 200, "who guesses does not fill the log"
        eventually("the connections have ended", lambda: len(process.net_connections("tcp")) <= 3, seconds=60)
        assert box.call("echo", n=1) == {"n": 2}
    by_kind: defaultdict[str, set[int]] = defaultdict(set)
    for one in told:
        kind, _, status = one.partition(" ")
        by_kind[kind].add(int(status))
    for kind, statuses in TOLD.items():
        assert by_kind[kind] <= statuses | ({503} if kind in HOLDING else set()), kind
    assert len(by_kind.keys() & TOLD.keys()) >= len(TOLD) - 2, told


def test_a_box_is_told_how_long_connections_may_be_idle(tmp_path: Path) -> None:
    """--idle-timeout counts, in the connection's life and in the `Keep-Alive` field."""
    with RunningBox(tmp_path / "box", options=["--idle-timeout", "2"]) as box:
        host, _, port = box.url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=20) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nhost: box\r\n\r\n")
            said, began = b"", time.monotonic()
            while piece := client.recv(65536):
                said += piece
            assert b"\r\nkeep-alive: timeout=2\r\n" in said
            assert 1.8 < time.monotonic() - began < 15


def test_a_box_lets_in_whom_it_is_told_to(tmp_path: Path) -> None:
    """--allow-host and --allow-origin: what they name is served, what they do not is told how."""
    options = ["--allow-host", "*.box.example,edge", "--allow-origin", "https://app.example"]
    with RunningBox(tmp_path / "box", options=options) as box:
        for name, status in (("a.box.example", 200), ("edge", 200), (socket.gethostname(), 200), ("x.example", 421)):
            answer = box.http.get("/", headers={"host": name})
            assert answer.status_code == status
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert "--allow-host x.example" in answer.json()["detail"]
        assert box.http.get("/", headers={"origin": "https://x.example"}).status_code == 403
        answer = box.http.get("/", headers={"origin": "https://app.example"})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, "https://app.example")
        assert "Origin" in answer.headers.get_list("vary", split_commas=True)
        preflight = {"origin": "https://app.example", "access-control-request-method": "POST"}
        assert box.http.options("/fn/echo", headers=preflight).status_code == 204
