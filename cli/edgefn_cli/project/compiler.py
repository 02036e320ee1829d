"""The build child as a process: started for one order, or started ahead and waiting for one.

Owns the process and its output. It must never make sense of an event, nor print one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

from edgefn_cli.environment import without_tokens

STOP_S = 3.0
_LAST_LINES = 15
_MODULE = "edgefn.compile"
# Three quarters of a build in which only the handler changed are the start of Python and these imports. A child that
# waits has them behind it. Its order is one line of JSON; an end of file means that we are gone.
_WAITING = f"""
import json, runpy, sys
try:
    import {_MODULE}.build, numpy
except ImportError:
    pass  # the build itself reports what is missing
if line := sys.stdin.readline():
    sys.argv = json.loads(line)
    runpy.run_module("{_MODULE}", run_name="__main__", alter_sys=True)
"""


class Compiler:
    """One build process, in a session of its own: Ctrl-C reaches it through us, with all that it started (pip).

    Leaving its context ends it, if it has not ended.
    """

    def __init__(self, line: Sequence[str], *, waits: bool = False) -> None:
        self._chatter = tempfile.TemporaryFile("w+b")  # noqa: SIM115
        self._process = subprocess.Popen(
            line,
            stdin=subprocess.PIPE if waits else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._chatter,
            env=without_tokens(),
            start_new_session=True,
        )

    @classmethod
    def begin(cls, arguments: Sequence[str]) -> Self:
        """Start a child that builds with `arguments`."""
        return cls([sys.executable, "-m", _MODULE, *arguments])

    @classmethod
    def wait(cls) -> Self:
        """Start a child that imports what a build needs, and builds when it gets its arguments."""
        return cls([sys.executable, "-c", _WAITING], waits=True)

    def give(self, arguments: Sequence[str]) -> bool:
        """Give the waiting child its arguments; return False when it has died meanwhile."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([_MODULE, *arguments]).encode() + b"\n")
            self._process.stdin.close()
        except BrokenPipeError:
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def events(self) -> Iterator[dict[str, Any]]:
        """Yield each event as it is written, until the child closes its output."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = json.loads(line)
            except ValueError:
                continue  # a library printed to stdout; the protocol's lines are objects with an "event"
            if isinstance(event, dict) and "event" in event:
                yield event

    def code(self) -> int:
        """Wait for the child's end and return its exit code; negative for a signal."""
        return self._process.wait()

    def last_words(self) -> str:
        """Return the last lines of its stderr."""
        self._chatter.seek(0)
        return "\n".join(self._chatter.read().decode(errors="replace").splitlines()[-_LAST_LINES:])

    def end(self) -> None:
        """End every process of its session, and close its files."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        for file in (self._process.stdin, self._process.stdout, self._chatter):
            if file is not None:
                file.close()
