"""The names of outputs inside an artifact's file, where an output may not be called as an input is.

An output `state` beside an input `state` is `state.output` in the file, and `state` everywhere else. Pure.
"""

from __future__ import annotations

from collections.abc import Collection

SUFFIX = ".output"


def inside(output: str, inputs: Collection[str]) -> str:
    """Return the name in the file of the output `output`."""
    return output + SUFFIX if _base(output) in inputs else output


def outside(name: str, inputs: Collection[str]) -> str:
    """Return the output's name of the one in the file: the inverse of `inside`."""
    return name.removesuffix(SUFFIX) if _base(name) in inputs else name


def _base(name: str) -> str:
    while name.endswith(SUFFIX):
        name = name.removesuffix(SUFFIX)
    return name
