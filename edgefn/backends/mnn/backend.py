"""MNN behind the `Backend` protocol.

finish   the same files, linked: MNN lays out its weights for the CPU as it loads
load     on as many threads as asked for
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn import extras
from edgefn.targets.probe import Probe

if TYPE_CHECKING:
    from pathlib import Path

    from edgefn.backends.mnn.session import MnnSession


class Mnn:
    """The backend called "mnn"."""

    name = "mnn"
    fork_safe = True  # with a runtime of one thread it starts none; each further one is a thread that a fork loses

    def probe(self) -> Probe:
        """Tell whether MNN is installed; read its metadata, never import it."""
        from edgefn.backends.mnn.library import installed

        found = installed()
        return Probe(True, found, f"MNN {found}, CPU") if found else Probe(False, fix=extras.command("mnn"))

    def warm_up(self) -> None:
        """Import MNN."""
        from edgefn.backends.mnn.library import import_mnn

        import_mnn()

    def finish(self, portable: Path, folder: Path) -> None:
        """Link the files of `portable` into `folder`: there is nothing to make for a machine."""
        from edgefn.backends import linking
        from edgefn.backends.mnn import record, session

        linking.link(portable, folder, (session.FILE, record.FILE))

    def load(self, folder: Path, *, threads: int = 1, batched: bool = False) -> MnnSession:
        """Load the model in `folder`. Raise BundleError when it does not load."""
        from edgefn.backends.mnn import session

        return session.load(folder, threads)
