"""`edgefn dev`: a real process, a real box, a file that is edited."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from edgefn_cli.__main__ import run

WAIT_S = 30.0


class Dev:
    """`edgefn dev --json` on a function of its own, and its events."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "tally" / "tally.py"
        self.child = subprocess.Popen(
            [sys.executable, "-m", "edgefn_cli", "dev", "tally", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env={key: value for key, value in os.environ.items() if not key.startswith("EDGEFN_")},
        )
        self._events: queue.Queue[dict[str, Any]] = queue.Queue()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def next(self, kind: str) -> dict[str, Any]:
        """The next event of that kind; others are passed over."""
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"no event {kind!r} in {WAIT_S:.0f} s")
            if event["event"] == kind:
                return event

    def edit(self, before: str, after: str) -> None:
        """Saves a change of the source."""
        text = self.source.read_text()
        assert before in text
        self.source.write_text(text.replace(before, after))

    def end(self) -> int:
        """Ctrl-C; returns the exit code."""
        self.child.send_signal(signal.SIGINT)
        try:
            return self.child.wait(WAIT_S)
        finally:
            self.child.kill()
            self._thread.join(WAIT_S)
            for stream in (self.child.stdout, self.child.stderr):
                assert stream is not None
                stream.close()

    def _read(self) -> None:
        assert self.child.stdout is not None
        for line in self.child.stdout:
            self._events.put(json.loads(line))


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dev]:
    """A plain function, live."""
    monkeypatch.chdir(tmp_path)
    assert run(["init", "tally", "--template", "plain"]) == 0
    started = Dev(tmp_path)
    yield started
    started.end()


def _answer(url: str) -> Any:
    return httpx.post(url, json={"n": 1}, trust_env=False, timeout=10).json()


def _until(url: str, wanted: Any) -> float:
    """Seconds until the function answers so."""
    began = time.monotonic()
    while time.monotonic() - began < WAIT_S:
        if _answer(url) == wanted:
            return time.monotonic() - began
    pytest.fail(f"{url} did not answer {wanted} in {WAIT_S:.0f} s, but {_answer(url)}")


def test_each_save_is_live_and_a_mistake_takes_nothing_down(dev: Dev, record_property: Any) -> None:
    """An edit changes the answer; a syntax error is told and the last good version answers; Ctrl-C ends all."""
    live = dev.next("live")
    url = live["url"]
    assert _answer(url) == {"n": 2}
    assert live["missing"] == []

    dev.edit("n + 1", "n + 40")
    record_property("save_to_live_s", _until(url, {"n": 41}))
    good = dev.next("live")["number"]

    dev.edit("return", "return (")
    error = dev.next("error")
    assert "SyntaxError" in error["detail"] + error["trace"]
    assert "edgefn_runtime" not in error["trace"]
    assert error["serving"] == good
    assert _answer(url) == {"n": 41}

    dev.edit("return (", "print('seen'); return")
    assert dev.next("live")["number"] > good
    assert _answer(url) == {"n": 41}
    assert "seen" in dev.next("log")["line"]

    dev.edit("@edge_function(memory", "@edge_function(network=True, memory")
    asking = dev.next("live")
    assert _answer(url) == {"n": 41}, "what it asks for is granted"
    assert asking["number"] > good

    assert dev.end() == 130
    with pytest.raises(httpx.ConnectError):
        _answer(url)


def test_a_box_goes_down_with_a_dev_that_is_killed(dev: Dev) -> None:
    """kill -9 leaves nothing behind: the kernel tells the box."""
    url = dev.next("live")["url"]
    dev.child.kill()
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        try:
            _answer(url)
        except httpx.TransportError:
            return
    pytest.fail(f"the box at {url} outlived `edgefn dev` by {WAIT_S:.0f} s")


def test_what_editors_write_beside_a_file_is_no_change(dev: Dev) -> None:
    """Swap files, backups and caches rebuild nothing: the next event is that of the real edit."""
    url = dev.next("live")["url"]
    for name in (".tally.py.swp", "tally.py~", "4913", ".#tally.py", "__pycache__/tally.cpython-311.pyc"):
        path = dev.source.parent / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    with pytest.raises(queue.Empty):
        dev._events.get(timeout=1.0)
    dev.edit("n + 1", "n + 2")
    _until(url, {"n": 3})


@pytest.mark.long
def test_shared_code_is_live_where_it_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A save of a package that the function imports changes its answer; one of another package changes nothing."""
    monkeypatch.chdir(tmp_path)
    assert run(["init", "tally", "--template", "plain"]) == 0
    toml = tmp_path / "edgefn.toml"
    toml.write_text(toml.read_text().replace("[project]\n", '[project]\npackages = ["common", "unused"]\n'))
    for name in ("common", "unused"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("STEP = 1\n")
    source = tmp_path / "tally" / "tally.py"
    text = source.read_text().replace("n + 1", "n + STEP")
    source.write_text(text.replace("from edgefn import", "from common import STEP\nfrom edgefn import"))
    dev = Dev(tmp_path)
    try:
        url = dev.next("live")["url"]
        assert _answer(url) == {"n": 2}
        (tmp_path / "common" / "__init__.py").write_text("STEP = 20\n")
        _until(url, {"n": 21})
        good = dev.next("live")["number"]

        (tmp_path / "unused" / "__init__.py").write_text("STEP = 2\n")
        with pytest.raises(queue.Empty):
            dev._events.get(timeout=3.0)

        (tmp_path / "common" / "__init__.py").write_text("STEP = 1 / 0\n")
        error = dev.next("error")
        assert error["serving"] == good
        assert f'File "{tmp_path}/common/__init__.py", line 1' in error["trace"]
        (tmp_path / "common" / "__init__.py").write_text("STEP = 20\n")
        assert dev.next("live")["number"] >= good
    finally:
        dev.end()
