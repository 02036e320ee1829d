"""The import of MNN, which says nothing on stdout, and the version of what is installed."""

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
    """The MNN module."""
    if DISTRIBUTION not in sys.modules:
        with silence():
            import MNN
    import MNN

    return MNN


def installed() -> str:
    """The version of the installed MNN, or "" where there is none; reads its metadata, does not import it."""
    return facts.installed(DISTRIBUTION, DISTRIBUTION)


@contextmanager
def silence() -> Iterator[None]:
    """What C code prints on stdout within goes nowhere: MNN tells there what the CPU supports."""
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
    """What C code has printed is written, not held back until the process ends."""
    ctypes.CDLL(None).fflush(None)
