"""`edgefn-box`, or `python -m edgefn_runtime`: a box on a machine that has only the runtime extra, so no typer."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from edgefn_runtime.settings import DEFAULT_HOST, DEFAULT_PORT, BoxSettings, default_home


def main() -> None:
    """Runs a box in the foreground and leaves with its exit code."""
    from edgefn_runtime.server import run

    sys.exit(run(_settings(sys.argv[1:])))


def _settings(arguments: list[str]) -> BoxSettings:
    parser = argparse.ArgumentParser(prog="edgefn-box", description="Runs an edgefn box in the foreground.")
    parser.add_argument("--home", type=Path, default=default_home(), help="where it keeps its state (EDGEFN_HOME)")
    parser.add_argument("--host", default=os.environ.get("EDGEFN_HOST", DEFAULT_HOST), help="address (EDGEFN_HOST)")
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("EDGEFN_PORT", DEFAULT_PORT)), help="EDGEFN_PORT"
    )
    given = parser.parse_args(arguments)
    return BoxSettings(home=given.home, host=given.host, port=given.port)


if __name__ == "__main__":
    main()
