"""Lengths that forward() makes text of, to look something up by: `self.scales.get(f"x{n}", 1.0)`.

While a network is recorded a free length has a symbol's name, so the text is none that it keeps, and what is for other
lengths is recorded for all. So every artifact is tried at the lengths that the network's own names have in them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from edgefn.compile.author import blame

if TYPE_CHECKING:
    import torch

MAX_LENGTHS = 4
"""Lengths that are tried of each word."""

SMALL = 3
"""Up to this a number in a name is a layer's, and tried in any case."""


@contextmanager
def noted() -> Iterator[list[str]]:
    """Yield a list that collects the author's files in which a free length becomes text."""
    import torch

    found: list[str] = []
    usual: Callable[[torch.SymInt], str] = torch.SymInt.__repr__

    def told(self: torch.SymInt) -> str:
        if blame.is_user(file := sys._getframe(1).f_code.co_filename):
            found.append(file)
        return usual(self)

    torch.SymInt.__repr__ = told  # type: ignore[method-assign]
    try:
        yield found
    finally:
        torch.SymInt.__repr__ = usual  # type: ignore[method-assign]


def telling(network: torch.nn.Module, usual: Mapping[str, int]) -> dict[str, list[int]]:
    """Return by word the numbers that are in names which the `network` keeps, the largest first."""
    numbers = {int(number) for name in _names(network) for number in re.findall(r"\d{1,5}", name)}
    lengths = sorted((number for number in numbers if number > SMALL), reverse=True)[:MAX_LENGTHS]
    return dict.fromkeys(usual, lengths) if lengths else {}


def _names(network: torch.nn.Module) -> Iterator[str]:
    """Yield the names of attributes and submodules, and the keys of dicts that are text."""
    for module in network.modules():
        yield from (name for name, _ in (*module.named_children(), *module.named_buffers(recurse=False)))
        for name, value in vars(module).items():
            yield name
            if isinstance(value, Mapping):
                yield from (key for key in value if isinstance(key, str))
