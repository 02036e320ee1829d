"""Calls into the user's code; its exceptions become BuildError. The one place that decides which pass unchanged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from edgefn.compile.author import blame, boundary, symptoms
from edgefn.compile.author.imports import NotOnBox
from edgefn.errors import BuildError, EdgefnError
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
    advice = f"{meaning}; {symptom.do}" if symptom else ""
    return f"{type(error).__name__}: {blame.brief(error)}{where and f' ({where})'}{advice}"


def import_function(folder: Path) -> EdgeFunction[..., Any]:
    """Import the function of `folder`.

    Raise SpecError when the SDK refuses it, and BuildError when the module raises.
    """
    try:
        with boundary.on_box(f"{folder.name}.py, during its import,"):
            return load(folder)
    except EdgefnError:
        raise
    except NotOnBox as error:
        raise BuildError(f"{folder.name} does not import on a box: {error}") from None
    except (Exception, SystemExit) as error:
        hint = f"; pip install {error.name}" if isinstance(error, ModuleNotFoundError) and error.name else ""
        raise BuildError(f"{folder.name} does not import: {type(error).__name__}: {error}{hint}") from error
