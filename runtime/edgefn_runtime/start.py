"""A box's first steps: the zygote is on its way before the rest of the box is imported."""

from __future__ import annotations

import sys

from edgefn.system import core_dumps
from edgefn_runtime.settings import BoxSettings
from edgefn_runtime.workers.launch import Launched, launch


def run(settings: BoxSettings) -> int:
    """Serves until SIGTERM or SIGINT, drains, and returns the exit code. Says why on stderr when it cannot start."""
    core_dumps.forbid()
    zygote = _launched()
    from edgefn_runtime import server

    return server.run(settings, zygote)


def _launched() -> Launched | None:
    try:
        return launch()
    except OSError as error:  # the supervisor tries again, and goes on trying
        print(f"warning: no zygote yet: {error}", file=sys.stderr)
        return None
