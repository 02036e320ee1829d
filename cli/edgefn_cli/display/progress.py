"""Progress on stderr: a bar for a person at a terminal, plain lines for a log file.

rich is imported only for a terminal. It must never write to stdout.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from edgefn_cli.display.output import console, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID


class VerbProgress:
    """The present step of one verb. Use it as a context manager; the bar is gone afterwards."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars: Bars | None = None if quiet or not sys.stderr.isatty() else _bars()
        self._said = ""
        self._compilers: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def step(self, text: str, done: int, total: int) -> None:
        """Show the step `text`, of which `done` of `total` parts are done."""
        if self._bars is not None:
            self._only(text, total, f"{done}/{total}" if total else "")
            self._bars.update(self._bars.task_ids[0], completed=done)
        elif text != self._said and not self._quiet:
            say(text)
        self._said = text

    def build_event(self, function: str, event: dict[str, Any]) -> None:
        """Show an event of the build child: a step, a compiler, or the page of a refused artifact.

        The report shows the others.
        """
        from edgefn_cli.display import refusal

        if event["event"] == "step":
            text = " ".join(filter(None, [f"build {function}:", str(event["name"]), str(event.get("model") or "")]))
            self.step(text, int(event.get("done") or 0), int(event.get("total") or 0))
        elif event["event"] == "compiler":
            text = f"build {function}: {event['doing']} {event['model']} for {event['target']}"
            if event["state"] == "started":
                self._compiler_started(text)
            else:
                self._compiler_ended(text, str(event.get("status") or "built"))
        else:
            for line in refusal.page(event):
                self.say(line)

    def say(self, line: str) -> None:
        """Say a line that stays; a bar goes on below it."""
        if self._bars is not None:
            self._bars.console.print(line, markup=False, highlight=False)
        elif not self._quiet:
            say(line)

    def _compiler_started(self, text: str) -> None:
        """Add a line for a compiler that runs."""
        if self._bars is not None:
            self._compilers[text] = self._bars.add_task(text, total=None, note="")
        elif not self._quiet:
            say(text)

    def _compiler_ended(self, text: str, status: str) -> None:
        """Remove the compiler's line; in a log file, print its status where it failed."""
        if self._bars is not None:
            self._bars.remove_task(self._compilers.pop(text))
        elif status != "built" and not self._quiet:
            say(f"{text}: {status}")

    def transfer(self, text: str, total: int) -> None:
        """Show that `total` bytes are about to be sent; `sent` adds to the progress."""
        from edgefn.text.quantities import format_bytes

        if self._bars is not None:
            self._only(text, total, format_bytes(total))
            self._bars.reset(self._bars.task_ids[0], total=total)
        elif not self._quiet:
            say(f"{text} ({format_bytes(total)})")

    def sent(self, count: int) -> None:
        """Add `count` sent bytes to the bar."""
        if self._bars is not None:
            self._bars.advance(self._bars.task_ids[0], count)

    def _only(self, text: str, total: int, note: str) -> None:
        """Show `text` on the only bar."""
        assert self._bars is not None
        if not self._bars.task_ids:
            self._bars.add_task(text, total=total or None, note=note)
        self._bars.update(self._bars.task_ids[0], description=text, total=total or None, note=note)


def _bars() -> Bars:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[note]}", style="dim", markup=False),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console(stderr=True), transient=True)
