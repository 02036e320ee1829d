"""rich's console, which passes control characters through, made to write them out. Import it to draw, not before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.segment import Segment

from edgefn.text.terminal import visible


class SafeConsole(Console):
    """Draws as rich does; no text in it can act on the terminal."""

    def render(self, renderable: Any, options: Any = None) -> Iterator[Segment]:
        """Yield the segments of `renderable`, their text safe for a terminal.

        rich's own control codes pass.
        """
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=visible(segment.text))
