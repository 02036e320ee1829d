"""One function kept live on a box while its author edits it: build, ship, report; again for each change.

A failure is reported, and the version before goes on serving. It owns no process and no watcher: a box's client
and the changes come from outside.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edgefn.bundle.oci.layout import Layout
from edgefn.errors import BoxUnreachable, EdgefnError
from edgefn_cli.boxes.shipping import Shipped, ship
from edgefn_cli.display.failures import trace_of
from edgefn_cli.display.output import say
from edgefn_cli.display.progress import VerbProgress
from edgefn_cli.display.traces import trimmed
from edgefn_cli.project.building import Builder, BuildRequest, BuildResult, partial

if TYPE_CHECKING:
    from edgefn_cli.boxes.client import Client

Tell = Callable[[dict[str, Any]], None]


@dataclass
class Live:
    """`order`'s function on `client`'s box. `serving` is the last good version, None before there is one."""

    order: BuildRequest
    client: Client
    builder: Builder
    tell: Tell
    quiet: bool = False
    serving: Shipped | None = None
    _good: bool = field(default=False, init=False)

    def follow(self, changes: Iterable[object]) -> None:
        """Refresh once for each change, until they end."""
        for _ in changes:
            self.refresh()

    def refresh(self) -> None:
        """Build and deploy the function from its folder; on an error report it, and keep what serves."""
        began = time.perf_counter()
        try:
            with VerbProgress(quiet=self.quiet) as progress:
                built = self.builder.build(self.order, progress.build_event)
                if (lacking := partial([built])) is not None and not self.quiet:
                    say(f"warning: {lacking}")
                if not (serves := self._serves(built)):
                    self.serving = ship(self.client, Layout(built.layout).open(built.digest), progress)
        except BoxUnreachable:
            raise
        except EdgefnError as error:
            self._good = False
            self._refused(error)
        else:
            self._good = True
            seconds = time.perf_counter() - began
            if self.serving is not None and not serves:
                self.tell({"event": "live", **self.serving.as_json(), "seconds": seconds, "missing": built.missing})
        self.builder.prepare()

    def _serves(self, built: BuildResult) -> bool:
        """Tell whether the box serves `built` already, and the author knows.

        What was saved is then in no bundle of the function: a test, or a shared package that it does not import.
        """
        return self._good and built.cached and self.serving is not None and self.serving.revision == built.digest

    def _refused(self, error: EdgefnError) -> None:
        """Report `error`, with the author's part of the trace."""
        number = self.serving.number if self.serving is not None else None
        trace = trimmed(trace_of(error), str(self.order.folder), self.order.packages)
        self.tell({**error.as_problem(), "event": "error", "trace": trace, "serving": number})
