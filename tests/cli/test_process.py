"""The command as a process of its own: what it imports, how it ends, what a terminal sees."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from starlette.responses import StreamingResponse

from tests.terminal import in_terminal

from .conftest import STATUS, TOKEN

if TYPE_CHECKING:
    from .conftest import StandIn

EDGEFN = [sys.executable, "-m", "edgefn_cli"]
SLOW = ("httpx", "rich.progress", "watchfiles", "msgspec", "numpy", "torch", "onnxruntime", "uvicorn", "edgefn.project")


def _run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"EDGEFN_TOKEN": TOKEN} | environment
    return subprocess.run([*EDGEFN, *arguments], capture_output=True, text=True, env=env, timeout=60, check=False)


def test_help_and_version_load_nothing_slow() -> None:
    """`edgefn --help` and completion build the whole application: it must not pay for any verb."""
    code = f"import sys, edgefn_cli.app; print(*[name for name in {SLOW!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []


def test_the_version_is_the_distributions() -> None:
    """One line on stdout."""
    done = _run("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"edgefn \d+\.\d+\.\d+\S*\n", done.stdout)


def test_a_broken_pipe_is_silent(box: StandIn) -> None:
    """`edgefn list | head -1` leaves no traceback and no complaint of the interpreter."""
    box.json("GET /admin/functions", {"functions": [STATUS | {"name": f"f{n}"} for n in range(2000)]})
    line = f'"{sys.executable}" -m edgefn_cli list --json | head -c 10; echo "${{PIPESTATUS[0]}}"'
    env = os.environ | {"EDGEFN_BOX": box.url, "EDGEFN_TOKEN": TOKEN}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=env, timeout=60, check=True)
    assert done.stderr == ""
    assert done.stdout == '{"function0\n'


def test_ctrl_c_is_130_and_silent(box: StandIn) -> None:
    """While following a log that says nothing, for ever."""
    over = threading.Event()

    def lines() -> Iterator[str]:
        yield "2026-03-01T12:00:00.123Z stdout 1 - first\n"
        over.wait(30)

    box.answers["GET /admin/functions/echo/logs"] = lambda body: StreamingResponse(lines(), media_type="text/plain")
    env = os.environ | {"EDGEFN_BOX": box.url, "EDGEFN_TOKEN": TOKEN}
    child = subprocess.Popen(
        [*EDGEFN, "logs", "echo", "--follow"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )
    try:
        assert child.stdout is not None
        assert child.stdout.readline().endswith(b"first\n")
        child.send_signal(signal.SIGINT)
        _, stderr = child.communicate(timeout=20)
    finally:
        over.set()
        child.kill()
        child.wait()
    assert (child.returncode, stderr) == (130, b"")


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colour_unless_it_wants_none(environment: dict[str, str], coloured: bool, box: StandIn) -> None:
    """NO_COLOR (no-color.org) is honoured by the verbs and by the help."""
    box.json("POST /fn/echo", {"n": 2})
    env = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "CI", "GITHUB_ACTIONS")}
    env |= {"EDGEFN_BOX": box.url, "TERM": "xterm-256color"} | environment
    for arguments in (["invoke", "echo", "--json", "{}"], ["--help"]):
        shown, _ = in_terminal([*EDGEFN, *arguments], env)
        assert bool(re.search(rb"\x1b\[[0-9;]*3[0-9]", shown)) is coloured, shown


def test_a_box_says_why_it_cannot_run(tmp_path: Path) -> None:
    """A port in use is 11, a home that is no directory is 10 or 2: one line each."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = _run("box", "run", "--home", str(tmp_path / "home"), "--port", port)
    assert done.returncode == 11
    assert done.stderr.splitlines()[-1].startswith("error: ")
    (tmp_path / "file").write_text("")
    done = _run("box", "run", "--port", "0", EDGEFN_HOME=str(tmp_path / "file" / "home"))
    assert done.returncode == 10
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_a_box_tells_where_it_listens_and_ends_on_sigterm(tmp_path: Path) -> None:
    """--json: one line with the URL, once it answers; SIGTERM drains it and is no error."""
    line = [*EDGEFN, "box", "run", "--home", str(tmp_path), "--port", "0", "--json"]
    child = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert child.stdout is not None
        told = child.stdout.readline()
        assert f'"home": "{tmp_path}"' in told
        url = re.search(r'"url": "(http://127\.0\.0\.1:\d+)"', told)
        assert url is not None
        done = _run("box", "info", "--box", url[1], "--json", EDGEFN_HOME=str(tmp_path), EDGEFN_TOKEN="")
        assert done.returncode == 0, done.stderr
        assert _run("box", "token", EDGEFN_HOME=str(tmp_path)).stdout == (tmp_path / "token").read_text().strip() + "\n"
        child.terminate()
        assert child.wait(30) == 0
    finally:
        child.kill()
        child.communicate()
