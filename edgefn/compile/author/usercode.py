"""Calls into the user's code; its exceptions become BuildError. The one place that decides which pass unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from edgefn.bundle.sources import NO_PACKAGES, Packages
from edgefn.compile.author import blame, boundary, shared_code, symptoms
from edgefn.compile.author.imports import NotOnBox
from edgefn.errors import BuildError, EdgefnError, SpecError
from edgefn.function import EdgeFunction, load

T = TypeVar("T")


def blaming(what: str, act: Callable[..., T], *arguments: Any, **named: Any) -> T:
    """Call `act(...)`; turn an exception of the user's code into a BuildError.

    The message begins with `what`, and the exception is its cause.
    """
    try:
        return act(*arguments, **named)
    except BuildError:
        raise
    except NotOnBox as error:  # it names the user's line itself
        raise BuildError(f"{what}: {error}") from None
    except EdgefnError as error:
        raise BuildError(f"{what}: {error}") from error
    except (Exception, SystemExit) as error:
        raise BuildError(f"{what} raised {_told(error)}") from error


def _told(error: BaseException) -> str:
    """Describe `error`: its type and message, the author's line, and the remedy where one is known."""
    where, symptom = blame.line(error), symptoms.find(error)
    meaning = f": {symptom.what}" if symptom and symptom.what else ""
    advice = f"{meaning}; {symptom.do}" if symptom else _missing(error)
    return f"{type(error).__name__}: {blame.brief(error)}{where and f' ({where})'}{advice}"


def _missing(error: BaseException) -> str:
    advice = boundary.advice(error)
    return advice and f"; {advice}"


def import_function(folder: Path, packages: Packages = NO_PACKAGES) -> EdgeFunction[..., Any]:
    """Import the function of `folder`, which may import the project's shared `packages`.

    Raise SpecError when the SDK refuses it, and BuildError when the module raises.
    """
    shared_code.offer(packages)
    try:
        with boundary.on_box(f"{folder.name}.py, as it is imported,"):
            function = load(folder)
    except EdgefnError:
        raise
    except NotOnBox as error:
        raise BuildError(f"{folder.name} does not import on a box: {error}") from None
    except (Exception, SystemExit) as error:
        raise BuildError(f"{folder.name} does not import: {type(error).__name__}: {error}{_missing(error)}") from error
    _check_name(function, folder.resolve())
    return function


def _check_name(function: EdgeFunction[..., Any], folder: Path) -> None:
    """Raise SpecError unless the function is called as its folder is.

    The command line knows it by its folder, bundles and boxes by its own name: with two names, one would act on another
    function than is meant.
    """
    if (name := function.spec.name) != folder.name:
        raise SpecError(
            f"{folder / folder.name}.py holds the function {name!r}, and its folder is {folder.name!r}: rename one, or "
            f'write @edge_function(name="{folder.name}")'
        )
