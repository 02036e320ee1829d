"""ONNX of our own for operators that the exporter translates wrongly, for the example's sizes alone, or not at all.

    operators.py   ONNX's operators               rule.py        an operator's translation, and when it is needed
    adaptive.py    adaptive pooling of any size   attention.py   masked rows, and any rank
    recurrent.py   plain recurrent layers         indexing.py    int32 indices, scatter, roll
    arithmetic.py  divisions and remainders       angles.py      atan2 on its half lines
    logarithms.py  those that would overflow      sigmoids.py    whose smallest values tell
    signs.py       of NaN and -0

The exporter's own translation is kept wherever it is right: an unchanged network gives an unchanged file. Each of these
is written with the operators of opset 18, which the exporter writes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgefn.compile.translations import (
    adaptive,
    angles,
    arithmetic,
    attention,
    indexing,
    logarithms,
    recurrent,
    sigmoids,
    signs,
)

if TYPE_CHECKING:
    import torch

    Table = dict[Callable[..., Any], Callable[..., Any]]


def table(program: torch.export.ExportedProgram, model: str) -> Table:
    """Return the translations that the program needs, by operator.

    Raises BuildError for a layer that ONNX has not.
    """
    nodes = list(program.graph.nodes)
    for node in nodes:
        adaptive.check(node, model)
        recurrent.check(node, model)
    return {
        target: rule.translation
        for module in (adaptive, angles, arithmetic, attention, indexing, logarithms, recurrent, sigmoids, signs)
        for target, rule in module.rules().items()
        if rule.needed is None or any(node.target is target and rule.needed(node, program) for node in nodes)
    }
