"""The order for a finisher: which artifacts of an unpacked bundle, and where they go. Data alone."""

from __future__ import annotations

from pathlib import Path

import msgspec


class FinishOrder(msgspec.Struct, frozen=True):
    """Finish `artifacts`, by `ArtifactEntry.path`, of the unpacked `bundle` into `folder`, at the same paths.

    beside   the folder of the bundle's finished artifacts: others are timed beside the first one of their model
    threads  that the function's engine runs on
    """

    bundle: Path
    folder: Path
    beside: Path
    artifacts: tuple[str, ...]
    threads: int = 1
