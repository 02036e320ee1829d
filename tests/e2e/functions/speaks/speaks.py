"""Prints, on both streams, what it is told."""

import sys

from edgefn import edge_function


@edge_function(memory="64MiB")
def speaks(text: str) -> None:
    """Two lines for the log."""
    print(f"out: {text}")
    print(f"err: {text}", file=sys.stderr)
