"""Reads of files that are in no key of the build, reported with the file and the line to add. Pure but for links."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from edgefn.compile.author.reads import hub_folder
from edgefn.errors import BuildError

Refusal = Callable[[list[str]], BuildError]

_SHOWN = 3
"""Files that a message names."""


def of_builder(model: str, weights: Sequence[str], folder: Path) -> Refusal:
    """Return a function that makes the error for files that the builder of `model` read.

    The files are neither code, nor data of the folder, nor named by `weights`.
    """

    def refusal(paths: list[str]) -> BuildError:
        return BuildError(
            f"model {model}: its builder reads {_listed(paths)}, which the build does not watch: it would miss new "
            f"weights there. Add to @edge_model of {model}: {line(weights, paths, folder)}"
        )

    return refusal


def of_samples(model: str, what: str, weights: Sequence[str], folder: Path) -> Refusal:
    """Return a function that makes the error for files that a callable `what` of `model` read.

    `what` is "samples=" or "calibration=".
    """

    def refusal(paths: list[str]) -> BuildError:
        return BuildError(
            f"model {model}: {what} reads {_listed(paths)}, which the build does not watch. Put it below "
            f"{folder.name}/samples/, or add to @edge_model of {model}: {line(weights, paths, folder)}"
        )

    return refusal


def of_box(what: str, folder: Path) -> Refusal:
    """Return a function that makes the error for files that no box has; `what`, which a box runs too, read them."""

    def refusal(paths: list[str]) -> BuildError:
        left = (
            "a bundle leaves out samples/, dotfiles, tests and the files that weights= names"
            if any(Path(os.path.realpath(path)).is_relative_to(folder) for path in paths)
            else f"a bundle holds only the files in {folder.name}/"
        )
        return BuildError(
            f"{what} reads {_listed(paths)}, which a box does not have: {left}. Read weights in the builder, with "
            f"{line((), paths, folder)}; put the handler's files into {folder.name}/"
        )

    return refusal


def line(weights: Sequence[str], paths: Sequence[str], folder: Path) -> str:
    """Return the weights= option to write: its current value with `paths` added."""
    wanted = [*weights, *(one for one in _patterns(paths, folder) if one not in weights)]
    quoted = [f'"{one}"' for one in wanted]
    return f"weights={quoted[0]}" if len(quoted) == 1 else f"weights=({', '.join(quoted)})"


def _patterns(paths: Sequence[str], folder: Path) -> list[str]:
    """Return a pattern for each file, or one pattern for all when there are many.

    The one pattern is the common folder, or the modules below it when all files are Python modules.
    """
    found = list(dict.fromkeys(hub_folder(path) or path for path in paths))
    if len(found) > _SHOWN:
        modules = "/**/*.py" if all(path.endswith(".py") for path in found) else ""
        return [_written(os.path.commonpath(found), folder) + modules]
    return [_written(path, folder) for path in found]


def _written(path: str, folder: Path) -> str:
    """Write the path for people: relative to the folder, below "~" for a cache, or in full."""
    real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    home = os.path.expanduser("~")
    if path.startswith(f"{home}/.") and not folder.is_relative_to(Path(path).parent):
        return f"~{path.removeprefix(home)}"
    return real if os.path.commonpath([real, folder]) == "/" else os.path.relpath(real, folder)


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(paths[:_SHOWN]) + more
