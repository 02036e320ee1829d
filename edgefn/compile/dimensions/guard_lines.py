"""Which of the author's lines fixes a free length: torch writes a guard down with no line of a network's own.

Within `noted` each guard gets the line that torch was at, and `Noted` tells the one that a length breaks. Reads frames
and guards; never judges a range.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from traceback import FrameSummary
from types import FrameType
from typing import Any

from edgefn.compile.author import blame
from edgefn.compile.dimensions.guards import words_of
from edgefn.spec import ModelSpec

_OUTERMOST = str(Path(__file__).parents[1] / "capture" / "exporting.py")
"""Frames from there on are no network's."""


class Noted:
    """The guards of the network that was recorded last."""

    def __init__(self, spec: ModelSpec) -> None:
        self._spec = spec
        self._shapes: Any = None

    def saw(self, shapes: Any) -> None:
        """Remember whose guards they are: the `ShapeEnv` of the network that is recorded."""
        self._shapes = shapes

    def line(self, word: str, lengths: Mapping[str, int]) -> str:
        """Return the line of the first guard that does not hold where `word` is longer or shorter, or ""."""
        length = lengths[word]
        tried = [self.breaking({**lengths, word: moved}) for moved in (length + 1, 2 * length, length - 1)]
        return next(filter(None, tried), "")

    def breaking(self, lengths: Mapping[str, int]) -> str:
        """Return the line of the first guard that does not hold for `lengths`, or nothing."""
        if self._shapes is None:
            return ""
        words = words_of(self._shapes.source_to_var, self._spec)
        values = {symbol: lengths[word] for symbol, word in words.items() if word in lengths}
        broken = (guard for guard in self._shapes.guards if guard.expr.xreplace(values) == False)  # noqa: E712 (sympy)
        return next((guard.sloc.maybe_user_loc or "" for guard in broken), "")


@contextmanager
def noted(spec: ModelSpec) -> Iterator[Noted]:
    """Record the author's line with each guard that torch writes down, within the block.

    If the author has no such line, record the line of a library other than torch.
    """
    from torch._guards import SLoc
    from torch.fx.experimental.symbolic_shapes import ShapeEnv

    found = Noted(spec)
    original = ShapeEnv._get_stack_summary

    def located(shapes: Any, is_debug: bool = False, framework_loc: str | None = None) -> Any:
        line = _line(sys._getframe(1))
        place, text = original(shapes, is_debug, framework_loc or line or None)
        found.saw(shapes)
        return SLoc(place.framework_loc, line), text

    ShapeEnv._get_stack_summary = located  # type: ignore[assignment,method-assign]
    try:
        yield found
    finally:
        ShapeEnv._get_stack_summary = original  # type: ignore[method-assign]


def _line(frame: FrameType | None) -> str:
    """Return the innermost line of the author's above `frame`, or else of a library's."""
    library = ""
    while frame is not None and (file := frame.f_code.co_filename) != _OUTERMOST:
        if _is_user(file):
            return blame.one_line(_summary(frame))
        if not library and _is_library(file):
            library = blame.one_line(_summary(frame))
        frame = frame.f_back
    return library


def _summary(frame: FrameType) -> FrameSummary:
    return FrameSummary(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)


_is_user = lru_cache(maxsize=None)(blame.is_user)
_is_library = lru_cache(maxsize=None)(blame.is_library)
