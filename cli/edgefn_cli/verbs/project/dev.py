"""`edgefn dev PATH`: a function that is live while it is written."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgefn.errors import BoxUnreachable, EdgefnError
from edgefn_cli.display import output
from edgefn_cli.options import JsonOption

if TYPE_CHECKING:
    from edgefn_cli.boxes.client import Client

_RETRY_S = 0.3


def dev(
    path: Annotated[str, typer.Argument(metavar="PATH", help="The function's folder, or its name in edgefn.toml.")],
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where the local box listens; 0 takes a free port.")
    ] = 0,
    as_json: JsonOption = False,
) -> None:
    """Run a local box with one function on it, and deploy it anew on each save.

    A file that does not import, build or prove itself is told with its trace, and the last good version keeps
    answering. What the function prints appears here. Ctrl-C takes the box down.

    With --json, one object a line: live, error, log.

    Example: edgefn dev functions/echo --port 9000
    """
    from edgefn_cli.boxes.client import Client
    from edgefn_cli.boxes.local_box import LocalBox
    from edgefn_cli.project.building import Builder
    from edgefn_cli.project.live import Live
    from edgefn_cli.project.watching import Watcher
    from edgefn_cli.project.workplace import Workplace

    workplace = Workplace.here()
    scratch = workplace.scratch(workplace.project.function(path).name)
    order = workplace.order(path, layout=scratch / "bundles", reuse_golden=True)
    teller = _Teller(as_json)
    with (
        Watcher(order.folder, *order.packages.values()) as watcher,
        LocalBox(scratch / "box", port) as box,
        Client(box.address) as client,
        Builder() as builder,
    ):
        teller.begin(box.address.url, box.home)
        live = Live(order, client, builder, teller.tell, quiet=as_json)
        try:
            live.refresh()
            _stream_logs(Client(box.address), order.folder.name, teller)
            live.follow(watcher.changes(box.check))
        except BoxUnreachable:
            box.check()  # when its process has ended, how it ended is the better answer
            raise


class _Teller:
    """Shows the events of the loop, on the terminal or as lines of JSON."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def begin(self, url: str, home: Path) -> None:
        if not self._as_json:
            output.say(f"a local box at {url}; Ctrl-C ends it. Other terminals reach it with")
            output.say(f"  export EDGEFN_BOX={url} EDGEFN_HOME={home}")

    def tell(self, event: dict[str, Any]) -> None:
        if self._as_json:
            output.result(event)
        elif event["event"] == "live":
            output.say(f"live: revision {event['number']} at {event['url']} ({event['seconds']:.2f} s)")
        elif event["event"] == "error":
            serving = event["serving"]
            output.say(event["trace"]) if event["trace"] else None
            output.say(f"error: {event['detail']}")
            output.say(f"revision {serving} keeps answering" if serving else "nothing serves yet: save a change")
        else:
            output.line(event["line"])


def _stream_logs(client: Client, name: str, teller: _Teller) -> None:
    """Follow the function's log in a thread that ends with the process."""
    threading.Thread(target=_follow, args=(client, name, teller), name="logs", daemon=True).start()


def _follow(client: Client, name: str, teller: _Teller) -> None:
    pause = threading.Event()
    while True:
        try:
            for line in client.logs(name, 0, follow=True):
                teller.tell({"event": "log", "function": name, "line": line})
        except EdgefnError:
            pause.wait(_RETRY_S)  # not deployed yet, or the box is going down
        except OSError:
            return  # nobody reads our output any more
