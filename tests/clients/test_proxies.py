"""nginx and HAProxy before the box, with a path of its own: every client gets the same as without them."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.clients.calls import Call, by_curl, by_httpx, by_jdk
from tests.clients.table import cells, outcome
from tests.e2e.deadline import eventually

if TYPE_CHECKING:
    from tests.e2e.box import RunningBox

pytestmark = pytest.mark.clients

CELLS = [cell for cell in cells() if cell.way in ("JSON", "query", "multipart, file", "own type", "`image/png`")]

NGINX = """\
daemon off; pid %(folder)s/pid; error_log stderr;
events {}
http {
    access_log off; client_body_temp_path %(folder)s/a; proxy_temp_path %(folder)s/b; fastcgi_temp_path %(folder)s/c;
    uwsgi_temp_path %(folder)s/d; scgi_temp_path %(folder)s/e;
    server {
        listen 127.0.0.1:%(port)d;
        location /edge/ {
            proxy_pass http://%(box)s/;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $http_connection;
            proxy_set_header X-Forwarded-Prefix /edge;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Host $http_host;
        }
    }
}
"""
HAPROXY = """\
global
    maxconn 100
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend edge
    bind 127.0.0.1:%(port)d
    http-request set-header X-Forwarded-Prefix /edge
    http-request set-header X-Forwarded-Proto http
    http-request set-header X-Forwarded-Host %%[req.hdr(host)]
    http-request replace-path /edge(/.*) \\1
    default_backend box
backend box
    server box %(box)s
"""
PROXIES = {"nginx": (NGINX, ["-e", "stderr", "-c"]), "haproxy": (HAPROXY, ["-f"])}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextmanager
def running(program: str, name: str, box: RunningBox, folder: Path) -> Iterator[str]:
    config, options = PROXIES[name]
    port = free_port()
    path = folder / "config"
    path.write_text(config % {"folder": folder, "port": port, "box": box.url.removeprefix("http://")})
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *options, str(path)], stdout=log, stderr=log, cwd=folder)
    try:
        eventually(f"{name} answers", lambda: answers(port), seconds=15.0)
        yield f"http://127.0.0.1:{port}/edge"
    finally:
        process.terminate()
        process.wait(15)


def answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module", params=list(PROXIES))
def proxied(
    request: pytest.FixtureRequest,
    kinds_box: RunningBox,
    tool: Callable[[str], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The box's address through each proxy."""
    name: str = request.param
    with running(tool(name), name, kinds_box, tmp_path_factory.mktemp(name)) as url:
        yield url


@pytest.mark.parametrize("client", [by_httpx, by_curl("http2"), by_jdk], ids=["httpx", "curl --http2", "JDK"])
def test_calls_come_through(proxied: str, client: Callable[[str, list[Call]], list[tuple[int, bytes]]]) -> None:
    """With an upgrade on offer, which both proxies pass on, and a body: no request is lost, and none becomes two."""
    replies = client(proxied, [cell.call for cell in CELLS])
    for cell, (status, body) in zip(CELLS, replies, strict=True):
        expected = outcome(cell.call)
        told = json.loads(body)["value"] if status == 200 else None
        assert (status, told) == (expected.status, expected.told), (cell.kind.function, cell.way, body)


def test_links_lead_through_the_proxy(proxied: str) -> None:
    """Those of the first page, the document's server, and a redirect."""
    with httpx.Client() as client:
        root = client.get(f"{proxied}/").json()
        server = proxied.removesuffix("/edge")
        assert all(client.get(server + link).status_code == 200 for link in root["links"].values())
        assert client.get(f"{proxied}/openapi.json").json()["servers"] == [{"url": proxied}]
        moved = client.post(f"{proxied}/fn/take_int/?value=1", follow_redirects=True)
        assert (moved.status_code, moved.json()) == (200, {"value": 1})
