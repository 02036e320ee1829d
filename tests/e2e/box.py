"""A box as its users have it: a process of its own on loopback, with a home of its own, reached by HTTP.

An independent client on purpose: it speaks the admin API as documented and shares no code with the CLI.
"""

from __future__ import annotations

import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import msgspec
import psutil

from edgefn.api.boxes import BoxAddress, BoxInfo
from edgefn.api.deployments import DeployedEvent, ErrorEvent, MissingBlobs, read_event
from edgefn.api.explanations import Explanation
from edgefn.api.functions import FunctionList, FunctionStatus
from edgefn.api.problems import Problem
from edgefn.bundle.oci.layout import Bundle
from tests.e2e import trust
from tests.e2e.deadline import eventually
from tests.e2e.processes import all_gone, descendants, name_of
from tests.runtime.pool.bench import SMALLEST_WHO, host_pid

START_S = 30.0
STOP_S = 20.0

HOST = "box"
"""What clients of the tests that write their own heads call it."""

Json = dict[str, Any]
T = TypeVar("T")


class Refused(Exception):
    """The box did not take a deployment; `problem` is its answer, or the last line that it sent."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class RunningBox:
    """A box process. Use it as a context manager: leaving stops it and fails the test when a process stays behind."""

    def __init__(
        self,
        home: Path,
        *,
        before: Sequence[str] = (),
        options: Sequence[str] = (),
        descriptors: Sequence[int] = (),
        wait: bool = True,
        client: tuple[str, str] | None = None,
    ) -> None:
        """`before` is a command that becomes the box's, as `env A=B`; `descriptors` are handed over to it.

        `client` is the certificate and the key that its client shows, where the box speaks TLS.
        Without `wait` it is not ready at once, and has no `url` and no `http`.
        """
        self.home = home
        self._waits = wait
        self._command = [*before, sys.executable, "-m", "edgefn_runtime", "--home", str(home), "--port", "0"]
        self._command += ["--allow-host", HOST, *options]
        self._descriptors = descriptors
        self._certificate = client
        self.log = home.with_suffix(".log")
        self.url = ""
        self._process: subprocess.Popen[bytes] | None = None
        self._client: httpx.Client | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            below = descendants(self.pid)
            self.stop()
            all_gone(below)
        if self._client is not None:
            self._client.close()

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> Self:
        """The box listens and is ready; fails with its own words when it leaves instead."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=self._descriptors
            )
        if not self._waits:
            return self
        self.url = eventually("the box says where it listens", self.announced, seconds=START_S)
        if self._client is not None:
            self._client.close()
        self._client = httpx.Client(base_url=self.url, timeout=60.0, verify=self._trust())
        eventually("the box is ready", self._ready, seconds=START_S)
        return self

    def _trust(self) -> ssl.SSLContext | bool:
        """Any certificate: which one it is, is for the tests of TLS."""
        if not self.url.startswith("https:"):
            return False
        context = trust.anybody()
        if self._certificate is not None:
            context.load_cert_chain(*self._certificate)
        return context

    def announced(self) -> str:
        """Where it says that it listens, or "" as long as it has not said so."""
        self._check_lives()
        try:
            about = msgspec.json.decode((self.home / "run" / "box.json").read_bytes(), type=BoxAddress)
        except (FileNotFoundError, msgspec.DecodeError):
            return ""
        return about.url if about.pid == self.pid else ""

    def _ready(self) -> bool:
        self._check_lives()
        return self.http.get("/readyz").status_code == 200

    def _check_lives(self) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the box left with {self._process.returncode}:\n{self.words()}")

    def stop(self, *, seconds: float = STOP_S) -> int:
        """Asks it to leave (SIGTERM) and returns its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise AssertionError(f"the box did not leave within {seconds:g} s of SIGTERM:\n{self.words()}") from None

    def ask_to_leave(self) -> None:
        """Sends SIGTERM and does not wait."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self, *, seconds: float = STOP_S) -> int:
        """The exit code of a box that was asked to leave."""
        assert self._process is not None
        return self._process.wait(seconds)

    def kill9(self) -> None:
        """The box process is killed; fails the test when one of its children outlives it."""
        assert self._process is not None
        below = descendants(self.pid)
        self._process.kill()
        self._process.wait()
        all_gone(below)

    def words(self) -> str:
        """What it wrote to stdout and stderr."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""

    def until_words(self, text: str) -> None:
        """The box has said `text`."""
        eventually(f"the box says {text!r}", lambda: text in self.words())

    # ── processes ────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def pids(self) -> list[int]:
        """The box process and all that descend from it, but for the first processes of PID namespaces."""
        below = [process.pid for process in descendants(self.pid) if name_of(process) not in ("", "edgefn-init")]
        return [self.pid, *below]

    def zygote(self) -> psutil.Process:
        """The zygote: no function's, and not the spare child that it keeps ahead."""
        statuses = self.functions()
        owned = {instance.pid for status in statuses for instance in status.instances}
        owned |= {status.template.pid for status in statuses if status.template}
        (zygote,) = [one for one in descendants(self.pid) if one.pid not in owned and name_of(one) == "edgefn-zygote"]
        return zygote

    # ── HTTP ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def http(self) -> httpx.Client:
        """A client of this box, without its token."""
        assert self._client is not None
        return self._client

    @property
    def token(self) -> str:
        return (self.home / "token").read_text().strip()

    def admin(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One call of the admin API, with the token."""
        headers = {"authorization": f"Bearer {self.token}"} | options.pop("headers", {})
        return self.http.request(method, f"/admin/{path}", headers=headers, **options)

    def deploy(self, bundle: Bundle, *, name: str = "") -> DeployedEvent:
        """Sends the blobs that the box lacks and deploys; returns the last event. Raises Refused."""
        sizes = {blob.digest: blob.size for blob in bundle.blobs()}
        asked = self.admin("POST", "blobs/missing", json={"digests": list(sizes)})
        for digest in read(asked, MissingBlobs).missing:
            sent = self.admin("PUT", f"blobs/{digest}", content=bundle.blob_path(digest).read_bytes())
            if sent.status_code != 201:
                raise Refused(msgspec.json.decode(sent.content, type=Problem))
        path = f"functions/{name or bundle.config.function.name}/deploy"
        answer = self.admin("POST", path, json={"manifest": bundle.manifest_digest})
        if answer.status_code != 200:
            raise Refused(msgspec.json.decode(answer.content, type=Problem))
        last = read_event(answer.text.splitlines()[-1])
        if isinstance(last, ErrorEvent):
            raise Refused(last)
        assert isinstance(last, DeployedEvent), last
        return last

    def info(self) -> BoxInfo:
        return read(self.admin("GET", "box"), BoxInfo)

    def functions(self) -> list[FunctionStatus]:
        return read(self.admin("GET", "functions"), FunctionList).functions

    def status(self, name: str) -> FunctionStatus:
        return read(self.admin("GET", f"functions/{name}"), FunctionStatus)

    def explain(self, name: str) -> Explanation:
        return read(self.admin("GET", f"functions/{name}/explain"), Explanation)

    def template_of(self, name: str) -> int:
        """The pid of its template, once one is parked."""
        template = self.until("a template is parked", name, lambda status: status.template is not None).template
        assert template is not None
        return template.pid

    def logs(self, name: str, lines: int = 100) -> str:
        return self.admin("GET", f"functions/{name}/logs", params={"lines": lines}).raise_for_status().text

    def stop_function(self, name: str) -> FunctionStatus:
        return read(self.admin("POST", f"functions/{name}/stop"), FunctionStatus)

    def invoke(self, function: str, /, **arguments: Any) -> httpx.Response:
        """Calls a function with JSON; any answer is returned, a refusal too."""
        return self.http.post(f"/fn/{function}", json=arguments)

    def send(self, function: str, body: bytes, content_type: str, **headers: str) -> httpx.Response:
        """Calls a function with a body of a type."""
        return self.http.post(f"/fn/{function}", content=body, headers={"content-type": content_type} | headers)

    def call(self, function: str, /, **arguments: Any) -> Any:
        """What the function returns for JSON arguments; fails the test when it answers with an error.

        A process that says who it is, is told by its pid here.
        """
        answer = self.invoke(function, **arguments)
        assert answer.status_code == 200, f"{function}: {answer.status_code} {answer.text}\n{self.words()}"
        found = answer.json()
        return host_pid(found) if isinstance(found, int) and found > SMALLEST_WHO else found

    def until(
        self, what: str, name: str, holds: Callable[[FunctionStatus], bool], *, seconds: float = 15.0
    ) -> FunctionStatus:
        """The function's status as soon as it `holds`."""

        def look() -> FunctionStatus | None:
            status = self.status(name)
            return status if holds(status) else None

        found = eventually(what, look, seconds=seconds)
        assert found is not None
        return found


def read(answer: httpx.Response, kind: type[T]) -> T:
    """The answer as a struct of the admin API."""
    return msgspec.json.decode(answer.raise_for_status().content, type=kind)


def timings(answer: httpx.Response) -> dict[str, float]:
    """Milliseconds by phase, from the answer's Server-Timing."""
    return {
        name: float(duration) for name, duration in re.findall(r"(\w+);dur=([\d.]+)", answer.headers["server-timing"])
    }


def was_cold(answer: httpx.Response) -> bool:
    """Whether the request had to wait for a start, as the answer's Server-Timing says."""
    found = re.search(r"desc=\"?(cold|warm)", answer.headers["server-timing"])
    assert found, answer.headers["server-timing"]
    return found[1] == "cold"


def is_root() -> bool:
    return os.geteuid() == 0
