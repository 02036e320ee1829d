"""The process that all templates are forked from: one thread, with what every function needs already imported.

Run as `python -m edgefn_runtime.process.zygote DESCRIPTOR`, with a control socket as that descriptor. It never runs
a line of a user's code and holds no secret.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import traceback

from edgefn_runtime.process import birth, groups, sandbox
from edgefn_runtime.process.control import Control
from edgefn_runtime.process.sandbox import Enforcement
from edgefn_runtime.process.template import standalone_main, template_main
from edgefn_runtime.wire.messages import Ready, SpawnStandalone, SpawnTemplate


def main(descriptor: int) -> int:
    """Warms up, reports ready, and forks children on order until the box closes the control socket."""
    birth.die_with_parent()
    birth.use_huge_pages(False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control = Control(descriptor)
    _warm_up()
    isolation = sandbox.probe()
    birth.settle()
    control.report(Ready(threads=birth.thread_count(), isolation=isolation))
    while (received := control.receive()) is not None:
        order, descriptors = received
        if isinstance(order, SpawnTemplate | SpawnStandalone):
            _spawn(order, isolation, descriptors)
        for inherited in descriptors:
            os.close(inherited)
    return 0


def _spawn(order: SpawnTemplate | SpawnStandalone, isolation: Enforcement, descriptors: list[int]) -> None:
    child = template_main if isinstance(order, SpawnTemplate) else standalone_main
    main = functools.partial(child, order.program, isolation, *descriptors)
    group = groups.folder_of(descriptors)
    birth.fork_child(main, box_pid=order.program.box_pid, keep=descriptors, group=group)


def _warm_up() -> None:
    """Imports what handlers and engines need, makes one tiny session, serves two requests: first-time costs."""
    import PIL.PngImagePlugin  # noqa: F401 - a handler that reads no image costs nothing by it: pages are shared

    from edgefn import backends
    from edgefn_runtime.process.rehearsal import rehearse

    backends.get("onnxruntime").warm_up()
    try:
        rehearse()
    except Exception:  # a Pillow without JPEG, say: functions start all the same, only later
        traceback.print_exc()


if __name__ == "__main__":
    with contextlib.suppress(ConnectionError):  # the box has gone, maybe because it could not start
        sys.exit(main(int(sys.argv[1])))
