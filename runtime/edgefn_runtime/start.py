"""A box's first steps: the zygote is launched before the rest of the box is imported."""

from __future__ import annotations

import sys

from edgefn.system import core_dumps
from edgefn_runtime.settings import BoxSettings
from edgefn_runtime.workers.launch import Launched, launch


def run(settings: BoxSettings) -> int:
    """Launch the zygote and serve until SIGTERM or SIGINT; drain, and return the exit code.

    Where the box cannot start, the reason is on stderr.
    """
    core_dumps.forbid()
    zygote = _launched()
    from edgefn_runtime import server

    return server.run(settings, zygote)


def _launched() -> Launched | None:
    try:
        return launch()
    except OSError as error:  # the supervisor tries again, and goes on trying
        print(f"warning: could not start a zygote: {error}", file=sys.stderr)
        return None
