"""The box's half of an inference stack: what every engine that runs artifacts implements.

    box, at install  probe → finish     portable artifact → finished for this very chip, in a cache
    box, template    warm_up, load      finished artifact → a session that runs

The build machine's half is `edgefn.compile.lower.lowering.Lowering`; it is nowhere on a box. A backend never decides
whether an artifact is right: the golden samples do (edgefn.compile.judging.verify on the build machine, the box's
finisher at install).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import msgspec

from edgefn.errors import BundleError
from edgefn.session import Session
from edgefn.targets.probe import Probe


class FinishNeeds(msgspec.Struct, frozen=True):
    """What `finish` and the proof run need of a box beyond the bundle, Python and the engine's own files.

    Both run in a process that is confined: it reads those, and writes its own unfinished folder. Paths are absolute.

    devices       device nodes that it reads, writes and controls
    reads         files and folders that it reads, e.g. a toolkit below /opt
    programs      executables that it starts; without any it can start none
    memory_bytes  what it may allocate, where that is more than a box allows by the artifact's size
    growth        bytes of the finished artifact for each byte of the portable one, at most; 0: the box's own bound
    """

    devices: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    memory_bytes: int = 0
    growth: int = 0


class Backend(Protocol):
    """The box's half of one inference stack. Importing the module must not import the stack: the methods do.

    A backend has a `finish_needs: FinishNeeds`, too, if its `finish` needs more than files.
    """

    name: str
    fork_safe: bool
    """True when a session made before fork() runs in the child: it starts no threads."""

    def probe(self) -> Probe:
        """Tell whether the stack is installed here, with its version, or what to install."""

    def warm_up(self) -> None:
        """Do the first-time work of `load` now. The zygote calls it, so it must start no thread."""

    def finish(self, portable: Path, folder: Path) -> None:
        """Write the artifact optimised for this machine into `folder`, from the portable one's folder."""

    def load(self, folder: Path, *, threads: int = 1, batched: bool = False) -> Session:
        """Load a finished (or portable) artifact as a session.

        `threads` counts the intra-op threads, the caller's included. `batched`: runs of many rows will come.
        `fork_safe` holds for one thread.
        """


def finish_needs(backend: Backend) -> FinishNeeds:
    """Return what `backend` declares that its `finish` needs; nothing where it declares none."""
    declared = getattr(backend, "finish_needs", FinishNeeds())
    if not isinstance(declared, FinishNeeds):
        raise BundleError(
            f"backend {backend.name!r} has a finish_needs that is no FinishNeeds: update its distribution"
        )
    return declared
