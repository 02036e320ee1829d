"""`edgefn-box`, or `python -m edgefn_runtime`: a box on a machine that has only the runtime extra, so no typer."""

from __future__ import annotations

import argparse
import math
import os
import sys
from pathlib import Path

from edgefn.errors import SpecError
from edgefn.quantities import parse_bytes
from edgefn_runtime.settings import (
    DEFAULT_CLIENT_TIMEOUT_S,
    DEFAULT_HOST,
    DEFAULT_PORT,
    DEFAULT_TRUSTED_PROXIES,
    MIN_CLIENT_TIMEOUT_S,
    BoxSettings,
    default_home,
    read_root_path,
    read_trusted_proxies,
)


def main() -> None:
    """Runs a box in the foreground and leaves with its exit code."""
    from edgefn_runtime.start import run

    sys.exit(run(_settings(sys.argv[1:])))


def _settings(arguments: list[str]) -> BoxSettings:
    parser = argparse.ArgumentParser(prog="edgefn-box", description="Runs an edgefn box in the foreground.")
    parser.add_argument("--home", type=Path, default=default_home(), help="where it keeps its state (EDGEFN_HOME)")
    parser.add_argument("--host", default=os.environ.get("EDGEFN_HOST", DEFAULT_HOST), help="address (EDGEFN_HOST)")
    parser.add_argument(
        "--port", type=int, default=int(os.environ.get("EDGEFN_PORT", DEFAULT_PORT)), help="EDGEFN_PORT"
    )
    parser.add_argument("--fd", type=int, help="listen on the socket handed over as this descriptor")
    parser.add_argument(
        "--client-timeout",
        type=_seconds,
        default=os.environ.get("EDGEFN_CLIENT_TIMEOUT", str(DEFAULT_CLIENT_TIMEOUT_S)),
        metavar="SECONDS",
        help="for a client to send a request, and to go on reading its answer (EDGEFN_CLIENT_TIMEOUT)",
    )
    parser.add_argument(
        "--memory",
        type=_bytes,
        default=os.environ.get("EDGEFN_MEMORY"),
        metavar="SIZE",
        help='for all functions together, e.g. "2GiB" (EDGEFN_MEMORY); else all but an eighth of the machine\'s',
    )
    parser.add_argument(
        "--root-path",
        type=_root_path,
        default=os.environ.get("EDGEFN_ROOT_PATH", ""),
        metavar="PATH",
        help="the path that a proxy gives the box and strips, e.g. /edge; links begin with it (EDGEFN_ROOT_PATH)",
    )
    parser.add_argument(
        "--trusted-proxies",
        type=_trusted_proxies,
        default=os.environ.get("EDGEFN_TRUSTED_PROXIES", ",".join(DEFAULT_TRUSTED_PROXIES)),
        metavar="ADDRESSES",
        help="whose X-Forwarded-Prefix, -Proto and -Host count (EDGEFN_TRUSTED_PROXIES); default this machine",
    )
    given = parser.parse_args(arguments)
    return BoxSettings(
        home=given.home,
        host=given.host,
        port=given.port,
        fd=given.fd,
        client_timeout_s=given.client_timeout,
        memory_bytes=given.memory,
        root_path=given.root_path,
        trusted_proxies=given.trusted_proxies,
    )


def _bytes(text: str) -> int:
    try:
        return parse_bytes(text, what="the memory for functions")
    except SpecError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _root_path(text: str) -> str:
    try:
        return read_root_path(text)
    except SpecError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _trusted_proxies(text: str) -> tuple[str, ...]:
    try:
        return read_trusted_proxies(text)
    except SpecError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _seconds(text: str) -> float:
    seconds = float(text)
    if not MIN_CLIENT_TIMEOUT_S <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not {MIN_CLIENT_TIMEOUT_S:g} seconds or more")
    return seconds


if __name__ == "__main__":
    main()
