"""What `@edge_model(weights=...)` names: files that a builder reads and that are not the function's code.

Owns how the option is read and which files it means. Never reads a file's content.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from edgefn.errors import BuildError, SpecError

Weights = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None
"""A path or a glob, or several: relative to the function's folder, or absolute, or below "~". A folder is all in it."""


def read_weights(weights: Weights, where: str) -> tuple[str, ...]:
    """Return the patterns that `weights=` gives. Raise SpecError for anything but paths."""
    given = [weights] if isinstance(weights, str | os.PathLike) else weights
    if given is None:
        return ()
    if not isinstance(given, Sequence) or not all(isinstance(one, str | os.PathLike) and str(one) for one in given):
        raise SpecError(
            f"{where}: weights is {weights!r}: write the path of a file that the builder reads, or several, e.g. "
            'weights="../runs/best.pth"'
        )
    return tuple(os.fspath(one) for one in given)


def weight_files(patterns: Sequence[str], folder: Path) -> list[Path]:
    """Return the files that `patterns` mean, seen from `folder`, sorted, links not followed.

    Raise FileNotFoundError. The error's `filename` is the pattern that means no file.
    """
    return sorted({path for pattern in patterns for path in _files(pattern, folder)})


def check_weights(model: str, patterns: Sequence[str], folder: Path) -> None:
    """Raise BuildError where one of `patterns` means no file."""
    try:
        weight_files(patterns, folder)
    except FileNotFoundError as error:
        there = os.path.normpath(folder / os.path.expanduser(str(error.filename)))
        raise BuildError(
            f"model {model}: weights={error.filename!r} names no file: there is no {there}; put it there, or correct "
            f"the path, which begins at {folder}"
        ) from None


def _files(pattern: str, folder: Path) -> list[Path]:
    path = os.path.normpath(folder / os.path.expanduser(pattern))
    matched = [path] if os.path.exists(path) else glob.glob(path, recursive=True, include_hidden=True)
    found = [Path(name) for match in matched for name in _below(match)]
    if not found:
        raise FileNotFoundError(None, "no such file", pattern)
    return found


def _below(path: str) -> list[str]:
    if not os.path.isdir(path):
        return [path]
    names = [os.path.join(root, name) for root, _, files in os.walk(path, followlinks=True) for name in files]
    return [name for name in names if os.path.isfile(name)]
