"""A box of our own on this machine, as a child process: for `edgefn dev`.

It listens on loopback, has its own home and ends with us, whichever way we end. Owns the process; it must never
touch another box's home.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from edgefn.errors import BoxUnreachable, EdgefnError, HomeError, PortInUse
from edgefn_cli.boxes.connection import BoxConnection
from edgefn_cli.boxes.discovery import Address
from edgefn_cli.boxes.local import SOCKET, announced
from edgefn_cli.display.failures import MissingExtra
from edgefn_cli.environment import without_tokens

START_S = 60.0
STOP_S = 10.0
_POLL_S = 0.02
_LAST_LINES = 15
_PR_SET_PDEATHSIG = 1
_MISSING = re.compile(r"No module named '([\w.]+)'")
_ERRORS: dict[int, type[EdgefnError]] = {cls.exit_code: cls for cls in (HomeError, PortInUse)}


class LocalBox:
    """A box at `home`, on `port` or a free one (0). Inside the context it answers, after it there is none."""

    def __init__(self, home: Path, port: int = 0) -> None:
        self.home = home
        self.log = home / "box.log"
        self._port = port
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.home.mkdir(parents=True, exist_ok=True)
        with self.log.open("wb") as log:
            self._child = subprocess.Popen(
                self._arguments(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=without_tokens(),
                # Ctrl-C is ours to act on: the box must not begin to drain while a deployment goes on.
                start_new_session=True,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509
            )
        try:
            self._wait()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def address(self) -> Address:
        """Return the address that the box listens at. Raises BoxUnreachable before it does."""
        if url := self._url():
            return Address(url, socket=self.home / "run" / SOCKET)
        raise BoxUnreachable(f"the local box did not start; see its log {self.log}")

    def check(self) -> None:
        """Raise the error that the box's process left with; return while it lives."""
        assert self._child is not None
        code = self._child.poll()
        if code is None:
            return
        last = self.log.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        if code in _ERRORS and last:
            raise _ERRORS[code](last[-1].removeprefix("error: "))
        if missing := _MISSING.search("\n".join(last)):
            raise MissingExtra(f"{missing[1]}, required to run a box,", "runtime")
        error = BoxUnreachable(f"the local box exited with code {code}; see its log {self.log}")
        error.add_note("\n".join(last))
        raise error

    def _arguments(self) -> list[str]:
        place = ["--home", str(self.home), "--host", "127.0.0.1", "--port", str(self._port)]
        return [sys.executable, "-m", "edgefn_runtime", *place, "--dev"]

    def _wait(self) -> None:
        """Wait, for a bounded time, until the box is ready to take deployments."""
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            self.check()
            if self._url() and _answers(self.address):
                return
            time.sleep(_POLL_S)
        raise BoxUnreachable(f"the local box did not start within {START_S:.0f} s; see its log {self.log}")

    def _url(self) -> str:
        """Read the URL that our child wrote; "" where the file is of an older box at the same home."""
        try:
            told = announced(self.home)
        except OSError:
            return ""
        ours = told is not None and self._child is not None and told.pid == self._child.pid
        return told.url if told is not None and ours else ""

    def _end(self) -> None:
        child = self._child
        if child is None or child.poll() is not None:
            return
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _answers(address: Address) -> bool:
    connection = BoxConnection(address)
    try:
        connection.request("GET", "healthz", timeout_s=1.0)
    except BoxUnreachable:
        return False
    finally:
        connection.close()
    return True


_LIBC = ctypes.CDLL(None) if os.name == "posix" else None


def _die_with_parent() -> None:
    """Let the kernel end the child when we are killed and cannot do it ourselves (prctl(2)).

    Runs in the child before exec.
    """
    assert _LIBC is not None
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
