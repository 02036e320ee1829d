"""The command in this process, its output caught; and a stand-in for a box, for answers that a real one never gives."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edgefn.bundle.oci.layout import Bundle, Layout
from edgefn_cli.__main__ import run
from edgefn_cli.boxes.local_box import LocalBox
from edgefn_cli.project.building import BuildRequest, build

TOKEN = "correct-horse"
TWICE = "from edgefn import edge_function\n@edge_function\ndef twice(n: int) -> int:\n    return 2 * n\n"
STATUS: dict[str, Any] = {
    "name": "echo",
    "revision": "sha256:" + "ab" * 32,
    "number": 3,
    "state": "serving",
    "instances": [{"pid": 4711, "state": "idle", "in_flight": 0, "age_s": 12.5, "private_bytes": 3_000_000}],
    "template": {"pid": 4710, "private_bytes": 9_000_000},
    "queued": 0,
    "spec": {"name": "echo", "memory_bytes": 2**28, "timeout_s": 2.0, "idle_s": 60.0, "scale": [0, 4]},
    "artifacts": [
        {
            "model": "net",
            "target": "portable/fp32",
            "backend": "onnxruntime",
            "error": 2.1e-6,
            "max_error": 2.1e-6,
            "top1": 1.0,
        }
    ],
    "cores": {
        "available": 2.0,
        "threads": 1,
        "optimize": "throughput",
        "use": 0.97,
        "most_instances": 2,
        "why": "2 cores ÷ 0.97 cores that a busy instance uses",
    },
    "batching": [
        {"model": "net", "most_rows": 8, "wait_s": 0.002, "on": True, "mean_rows": 5.25, "gain": 2.31, "instances": 1}
    ],
    "deployed_at": "2026-03-01T12:00:00+00:00",
    "requests": 1234,
    "errors": 1,
    "cold_starts": 2,
    "phases": {"fork_s": 0.0012, "import_s": 0.01, "session_s": 0.0044, "first_run_s": 0.018},
    "reason": "",
    "retry_after_s": None,
    "history": [
        {"number": 2, "revision": "sha256:" + "cd" * 32, "deployed_at": "2026-02-01T12:00:00+00:00"},
        {"number": 3, "revision": "sha256:" + "ab" * 32, "deployed_at": "2026-03-01T12:00:00+00:00"},
    ],
}


@dataclass(frozen=True)
class Result:
    """What one command line wrote and left with."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def json(self) -> Any:
        """Stdout as one JSON value."""
        return json.loads(self.stdout)

    @property
    def problem(self) -> dict[str, Any]:
        """The last line of stderr as a problem object."""
        found = json.loads(self.stderr.splitlines()[-1])
        assert isinstance(found, dict)
        return found


Edgefn = Callable[..., Result]


@pytest.fixture
def edgefn(capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Edgefn:
    """Runs a command line in this process, with an environment and a working directory of its own."""
    for name in (
        "EDGEFN_BOX",
        "EDGEFN_TOKEN",
        "EDGEFN_INSECURE",
        "EDGEFN_HOME",
        "EDGEFN_HOST",
        "EDGEFN_PORT",
        "EDGEFN_DEBUG",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("EDGEFN_HOME", str(tmp_path / "no-home"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: object, stdin: bytes = b"") -> Result:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        code = run([str(argument) for argument in arguments])
        written = capsysbinary.readouterr()
        return Result(code, written.out, written.err.decode())

    return invoke


@dataclass
class StandIn:
    """A server with a box's token check and whatever answers a test gives it by "METHOD /path"."""

    url: str = ""
    answers: dict[str, Response | Callable[[bytes], Response]] = field(default_factory=dict)
    seen: list[tuple[str, bytes, dict[str, str]]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)

    def json(self, route: str, value: Any, status: int = 200) -> None:
        """`route` answers with JSON."""
        self.answers[route] = Response(json.dumps(value), status, media_type="application/json")

    def problem(self, route: str, status: int, headers: dict[str, str] | None = None, **members: Any) -> None:
        """`route` answers with a problem object."""
        body = json.dumps(members | {"status": status})
        self.answers[route] = Response(body, status, headers, "application/problem+json")

    def events(self, route: str, *events: dict[str, Any]) -> None:
        """`route` answers with a stream of events."""
        body = "".join(json.dumps(event) + "\n" for event in events)
        self.answers[route] = Response(body, 200, media_type="application/x-ndjson")

    def asked(self, route: str) -> list[tuple[bytes, dict[str, str]]]:
        """Body and headers of each request that came to `route`."""
        return [(body, headers) for key, body, headers in self.seen if key == route]

    async def answer(self, request: Request) -> Response:
        """One request's answer."""
        route = f"{request.method} {request.url.path}"
        body = await request.body()
        self.queries.append(request.url.query)
        self.seen.append((route, body, dict(request.headers)))
        if request.url.path.startswith("/admin") and request.headers.get("authorization") != f"Bearer {TOKEN}":
            members = {"status": 401, "detail": "wrong token", "error": "Unauthorized"}
            return Response(json.dumps(members), 401, media_type="application/problem+json")
        found = self.answers.get(route)
        if found is None:
            return Response(f"no answer for {route}", 404, media_type="text/plain")
        return found if isinstance(found, Response) else found(body)


@pytest.fixture(scope="session")
def listening() -> Iterator[StandIn]:
    """The stand-in's server, up for the whole session."""
    stand_in = StandIn()
    methods = ["GET", "POST", "PUT", "DELETE"]
    app = Starlette(routes=[Route("/{path:path}", stand_in.answer, methods=methods)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        stand_in.url = f"http://127.0.0.1:{_port(server)}"
        yield stand_in
    finally:
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def box(edgefn: Edgefn, listening: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The stand-in, knowing nothing yet, where `edgefn` finds it by itself, with the right token."""
    listening.answers.clear()
    listening.seen.clear()
    monkeypatch.setenv("EDGEFN_BOX", listening.url)
    monkeypatch.setenv("EDGEFN_TOKEN", TOKEN)
    return listening


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Make a real bundle, of the function `twice`."""
    folder = tmp_path_factory.mktemp("project") / "twice"
    folder.mkdir()
    (folder / "twice.py").write_text(TWICE)
    built = build(BuildRequest(folder, folder.parent / "layout"), lambda function, event: None)
    return Layout(built.layout).open(built.digest)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBox]:
    """A real box, up for the whole session."""
    with LocalBox(tmp_path_factory.mktemp("box")) as box:
        yield box


@pytest.fixture
def real_box(edgefn: Edgefn, running: LocalBox, monkeypatch: pytest.MonkeyPatch) -> LocalBox:
    """The real box, where `edgefn` finds it by itself, and its token by its home."""
    monkeypatch.setenv("EDGEFN_BOX", running.address.url)
    monkeypatch.setenv("EDGEFN_HOME", str(running.home))
    return running


def _port(server: uvicorn.Server) -> int:
    deadline = time.monotonic() + 10
    while not server.started:
        assert time.monotonic() < deadline, "the stand-in did not come up in 10 s"
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    assert isinstance(port, int)
    return port
