"""Hostile text in a pipe and at a terminal: no verb, and no progress bar, passes on what a terminal would act on."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from starlette.responses import Response

from edgefn.text.terminal import UNPRINTABLE
from edgefn_cli.__main__ import run
from edgefn_cli.boxes.logins import Login, Logins
from edgefn_cli.display.progress import VerbProgress
from edgefn_cli.project.building import BuildResult
from tests.cli.display.test_output import EVIL, VERBS, hostile
from tests.cli.display.test_report import INT8, SKIPPED

from .conftest import STATUS, TOKEN, TWICE
from .test_targets import OWN

if TYPE_CHECKING:
    from edgefn.bundle.oci.layout import Bundle

    from .conftest import Edgefn, StandIn

WAIT_S = 30.0
DRAWING = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[12]?[AK]|\r")
"""What rich draws with: colours, the cursor off and on, a line up, a line erased. EVIL has others."""

TOML = json.dumps(EVIL).strip('"').replace("\x7f", "\\u007f")

Where = Callable[..., str]


def harmless(shown: str) -> bool:
    """Tell whether hostile text was shown, and nothing of it acts."""
    acts = UNPRINTABLE.search(DRAWING.sub("", shown)) or re.search("m\r+b", shown)
    return not acts and "\\x1b]0;title" in shown


PLACES = {"pipe": os.pipe, "terminal": pty.openpty}


@contextmanager
def opened(place: str) -> Iterator[tuple[int, Callable[[], str]]]:
    """Open a pipe or a pseudo-terminal: where a program writes, and what has come out of it so far."""
    ours, theirs = PLACES[place]()
    with reading(ours) as shown:
        try:
            yield theirs, shown
        finally:
            os.close(theirs)


@contextmanager
def reading(descriptor: int) -> Iterator[Callable[[], str]]:
    """Read all that comes in a thread, until the other side is closed; return what it was."""
    found = bytearray()

    def read() -> None:
        try:
            while data := os.read(descriptor, 65536):
                found.extend(data)
        except OSError:  # EIO: nobody has the terminal open any more
            pass

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield lambda: found.decode(errors="replace")
    finally:
        thread.join(WAIT_S)
        os.close(descriptor)


@pytest.fixture(params=PLACES)
def where(request: pytest.FixtureRequest, edgefn: Edgefn, monkeypatch: pytest.MonkeyPatch) -> Where:
    """Return what a deed in this process writes to a pipe, or to a terminal."""
    monkeypatch.setenv("TERM", "xterm-256color")

    def shown(deed: Callable[[], object], answer: str = "y\n") -> str:
        with (
            opened(request.param) as (descriptor, so_far),
            os.fdopen(descriptor, "w", encoding="utf-8", closefd=False) as stream,
            monkeypatch.context() as patch,
        ):
            for name in ("stdout", "stderr"):
                patch.setattr(sys, name, stream)
            patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(answer.encode())))
            deed()
        return so_far()

    return shown


def test_what_is_harmless_is_told_from_what_acts() -> None:
    """The check itself: each part of EVIL alone is found, also among what rich draws with."""
    frame = "\x1b[?25l\x1b[2m\\x1b]0;title\x1b[0m\r\n\r\x1b[1A\x1b[2K\x1b[?25h"
    assert harmless(frame)
    parts = re.findall("\x1b]|\x07|\x1b\\[2J|\x9b|m\rb|\u202e|\u2028|\x7f", EVIL)
    assert len(parts) == 8
    assert not any(harmless(frame + part) for part in parts)
    assert not harmless("nothing of it was shown")


@pytest.mark.parametrize("line", VERBS[:-1], ids=" ".join)
def test_no_verb_passes_it_on(line: list[str], where: Where, box: StandIn) -> None:
    """Whatever the box says in whatever place; the answer of a function has a test of its own."""
    hostile(box)
    shown = where(lambda: run(line))
    assert harmless(shown), shown


@pytest.mark.parametrize(
    "line",
    [
        ["secret", "remove", "registry"],
        ["box", "token", "revoke", "line-3"],
        ["rollback", "echo", "--json"],
        ["init", EVIL],
        ["login", "--remove", EVIL],
        ["login", f"http://{EVIL}"],
        ["build", EVIL],
        ["deploy", "--bundle", EVIL],
        ["targets", EVIL],
        ["box", "run", "--port", EVIL],
        [EVIL],
        ["list", f"--{EVIL}"],
        ["list", EVIL],
    ],
    ids=lambda line: ascii(" ".join(line).replace(EVIL, "evil")),
)
def test_no_error_passes_it_on(line: list[str], where: Where, box: StandIn) -> None:
    """The box's words, and what stood on the command line, which another program may have put there."""
    members: dict[str, Any] = {"error": "DeploymentRefused", "detail": EVIL, "trace": EVIL}
    for route in ("DELETE /admin/secrets/registry", "DELETE /admin/tokens/line-3"):
        box.problem(route, 422, **members)
    box.problem("POST /admin/functions/echo/rollback", 422, **members)
    box.json("GET /admin/box", {"name": "here"})
    shown = where(lambda: run(line))
    if "--json" in line:
        assert json.loads(shown)["detail"] == EVIL
        shown = shown.replace("\\u001b", "\\x1b")
    assert harmless(shown), shown


def test_no_removed_secret_passes_it_on(where: Where, box: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is said, which a script may have from anywhere."""
    monkeypatch.setattr("edgefn_cli.boxes.client.Client.remove_secret", lambda client, name: None)
    shown = where(lambda: run(["secret", "remove", EVIL]))
    assert "removed" in shown
    assert harmless(shown), shown


STEPS: dict[str, list[dict[str, Any]]] = {
    "step": [{"event": "step", "name": f"a{EVIL}", "done": 0, "total": 1, "detail": EVIL}],
    "permit": [{"event": "step", "name": "permit", "done": 1, "total": 1, "detail": EVIL}],
    "digest": [{"event": "step", "name": "verify", "done": 0, "total": 1, "detail": f"sha256:{EVIL}"}],
    "warning": [{"event": "warning", "text": EVIL}],
    "refusal": [{"event": "error", "error": "DeploymentRefused", "detail": EVIL}],
    "trace": [{"event": "error", "error": "DeploymentRefused", "detail": "no", "trace": EVIL}],
    "nothing": [],
}


@pytest.mark.parametrize("kind", STEPS)
def test_no_deployment_passes_it_on(kind: str, where: Where, box: StandIn, bundle: Bundle) -> None:
    """Steps and their details, warnings, refusals with their traces, and what is finished after it."""
    box.json("GET /admin/box", {"name": "here"})
    box.json("POST /admin/blobs/missing", {"missing": []})
    done = {"event": "deployed", "function": EVIL, "revision": f"sha256:{EVIL}", "number": 1, "finishing": 1}
    box.events("POST /admin/functions/twice/deploy", *STEPS[kind] * 2, done)
    waiting = [STATUS | {"revision": done["revision"], "finishing": {"artifact": EVIL, "done": 0, "total": 2}}]
    box.answers["GET /admin/functions/twice"] = lambda body: _json(
        waiting.pop() if waiting else STATUS | {"revision": done["revision"], "finishing": None}
    )
    broken = {"model": EVIL, "target": EVIL, "state": "broken", "reason": EVIL}
    told = {"function": EVIL, "revision": done["revision"], "artifacts": [broken]}
    box.json("GET /admin/functions/twice/explain", told)
    layout = bundle.blob_path(bundle.blobs()[0].digest).parents[2]
    shown = where(lambda: run(["deploy", "--bundle", str(layout), "--wait"]))
    assert harmless(shown), shown


def _json(value: object) -> Response:
    return Response(json.dumps(value), media_type="application/json")


def test_no_list_of_logins_passes_it_on(where: Where, edgefn: Edgefn) -> None:
    """Name, URL and fingerprint, as a file has them that somebody else may have written."""
    logins = Logins.of_user()
    logins.file.parent.mkdir(parents=True)
    logins.file.touch(0o600)
    login = Login(EVIL, f"http://{EVIL}", "token", EVIL)
    logins.file.write_bytes(msgspec.json.encode([login]))
    shown = where(lambda: run(["login", "--list"]))
    assert shown.count("\\x1b]0;title") == 3
    assert harmless(shown), shown


def test_no_login_passes_it_on(where: Where, box: StandIn) -> None:
    """What the box calls the token, and its scopes."""
    box.json("GET /admin/token", {"name": EVIL, "scopes": [EVIL]})
    shown = where(lambda: run(["login", box.url]), f"{TOKEN}\n")
    assert "logged in to" in shown
    assert harmless(shown), shown


@pytest.mark.parametrize("line", [["targets"], ["targets", "camera"]], ids=" ".join)
def test_no_target_passes_it_on(line: list[str], where: Where, edgefn: Edgefn) -> None:
    """A profile of the project's own, which may have come with a checkout: what it is, and its sources."""
    Path("edgefn.toml").write_text('[project]\nname = "line"\n')
    Path("targets").mkdir()
    text = OWN.replace("the camera of line 3", TOML).replace("the camera's data sheet", TOML)
    Path("targets", "camera.toml").write_text(text)
    shown = where(lambda: run(line))
    assert "camera" in shown
    assert harmless(shown), shown


EVENTS: list[dict[str, Any]] = [
    {"event": "step", "name": EVIL, "model": EVIL, "done": 1, "total": 2},
    {"event": "compiler", "state": "started", "doing": EVIL, "model": EVIL, "target": EVIL},
    {"event": "compiler", "state": "ended", "doing": EVIL, "model": EVIL, "target": EVIL, "status": EVIL},
    {"event": "check", "verdict": "wrong", "model": EVIL, "target": EVIL, "reason": EVIL},
]


def test_no_build_report_passes_it_on(where: Where, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table, the notes below it and the events before it: models, targets and reasons are the project's."""
    broken = SKIPPED | {"status": "wrong", "reason": EVIL}
    artifacts = [_evil_row(INT8), _evil_row(SKIPPED) | {"status": "skipped"}, broken]
    models = [{"model": EVIL, "notes": [EVIL], "classes": {EVIL: EVIL}, "ranges": {EVIL: {"max": 2}}}]
    report = {"artifacts": artifacts, "models": models, "warning": EVIL, "unseen": EVIL}
    layout = bundle.blob_path(bundle.blobs()[0].digest).parents[2]
    built = BuildResult(bundle.manifest_digest, EVIL, False, layout, report)

    def build(order: object, seen: Callable[[str, dict[str, Any]], None]) -> BuildResult:
        for event in EVENTS:
            seen(EVIL, event)
        return built

    monkeypatch.setattr("edgefn_cli.project.building.build", build)
    Path("twice").mkdir()
    Path("twice", "twice.py").write_text(TWICE)
    shown = where(lambda: run(["build", "twice"]))
    assert "which files native libraries read" in shown
    assert "was built without 2 of its 3 artifacts" in shown
    assert harmless(shown), shown


def _evil_row(row: dict[str, Any]) -> dict[str, Any]:
    evil = {"model": EVIL, "target": EVIL, "reason": EVIL, "warning": EVIL, "kept": [EVIL], "quantized": {EVIL: 1}}
    more = {"top_class": EVIL, "toolchain": {EVIL: EVIL}, "opset": EVIL, "status": EVIL}
    return row | evil | more | {"answers": {"matched": 1, "of": 1}}


def test_no_progress_bar_passes_it_on(where: Where) -> None:
    """Descriptions, notes, transfers and lines above the bar, in the frames that a person sees."""

    def work() -> None:
        with VerbProgress() as progress:
            for event in EVENTS:
                progress.build_event(EVIL, event)
                time.sleep(0.15)  # a frame is drawn each tenth of a second
            progress.transfer(EVIL, 10)
            progress.sent(5)
            progress.say(EVIL)
            time.sleep(0.15)

    shown = where(work)
    assert harmless(shown), shown
    assert shown.count("\\x1b]0;title") > 4


@pytest.mark.parametrize("place", PLACES)
def test_no_dev_session_passes_it_on(place: str, edgefn: Edgefn, tmp_path: Path) -> None:
    """What the function prints, and the error of a save that does not import."""
    assert edgefn("init", "tally", "--template", "plain").code == 0
    source = tmp_path / "tally" / "tally.py"
    good = source.read_text()
    source.write_text(good.replace('"""The', f'print("printed", {EVIL!a})\n    """The'))
    env = {key: value for key, value in os.environ.items() if not key.startswith("EDGEFN_")}
    with opened(place) as (descriptor, shown):
        dev = subprocess.Popen(
            [sys.executable, "-m", "edgefn_cli", "dev", "tally"],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            env=env | {"TERM": "xterm-256color", "NO_COLOR": "1", "COLUMNS": "200"},
        )
        try:
            url = _until(shown, r"live: revision \d+ at (http\S+)")
            httpx.post(url, json={"n": 1}, trust_env=False, timeout=10)
            _until(shown, "(printed)")
            source.write_text(f"raise ValueError({EVIL!a})")
            _until(shown, "(stays live)")
            dev.send_signal(signal.SIGINT)
            assert dev.wait(WAIT_S) == 130
        finally:
            dev.kill()
            dev.wait()
    assert harmless(shown()), shown()


def _until(shown: Callable[[], str], pattern: str) -> str:
    """Return what the group of `pattern` matched, once it was shown."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        if found := re.search(pattern, shown()):
            return found[1]
        time.sleep(0.05)
    pytest.fail(f"not shown in {WAIT_S:.0f} s: {pattern}. It was {shown()!r}")
