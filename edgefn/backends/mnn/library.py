"""The import of MNN without its output on stdout, and the version of the installed MNN."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgefn.targets import facts

DISTRIBUTION = "MNN"


def import_mnn() -> Any:
    """Import the MNN module and return it."""
    if DISTRIBUTION not in sys.modules:
        with silence():
            import MNN
    import MNN

    return MNN


def installed() -> str:
    """Return the version of the installed MNN, or "" without one; read its metadata, never import it."""
    return facts.installed(DISTRIBUTION, DISTRIBUTION)


@contextmanager
def silence() -> Iterator[None]:
    """Discard what C code prints on stdout meanwhile: MNN prints there what the CPU supports."""
    flush()
    stdout, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        flush()
        os.dup2(stdout, 1)
        os.close(stdout)
        os.close(nowhere)


def flush() -> None:
    """Write the buffered output of C code now, not when the process ends."""
    ctypes.CDLL(None).fflush(None)
