"""An operator's translation of our own, and when it is needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch


class Rule(NamedTuple):
    """A translation; `needed` tells whether the exporter's own would be wrong for a node, None that it always may be.

    What is always needed holds too for operators that come up as the exporter takes others apart.
    """

    translation: Callable[..., Any]
    needed: Callable[[torch.fx.Node, torch.export.ExportedProgram], bool] | None = None
