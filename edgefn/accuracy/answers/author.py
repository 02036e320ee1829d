"""Hold the author's own comparison, `@my_function.match`: check it at import, call it, name the line of its faults."""

from __future__ import annotations

import inspect
import math
import traceback
from collections.abc import Callable
from typing import Any

from edgefn.errors import BuildError, SpecError

Judge = Callable[[Any, Any], "bool | float | str"]
"""Takes eager's answer and the artifact's. True, "" or 0.95 and more is a match; a text explains a difference."""

ALIKE = 0.95
"""The similarity, from 0 to 1, at and above which two answers match."""

_EXAMPLE = "def same(expected, actual) -> bool"


def check_judge(judge: object, function: str) -> None:
    """Raise SpecError unless `judge` can be called with two answers."""
    where = f"@{function}.match"
    if not inspect.isfunction(judge):
        raise SpecError(f"{where} decorates {judge!r}: put it on a function, e.g. {_EXAMPLE}")
    if inspect.iscoroutinefunction(judge) or inspect.isgeneratorfunction(judge):
        raise SpecError(f"{where}: {judge.__name__} is not a plain function: write {_EXAMPLE}, without async or yield")
    try:
        inspect.signature(judge).bind(None, None)
    except TypeError as error:
        raise SpecError(
            f"{where}: {judge.__name__}{inspect.signature(judge)} cannot be called with two answers ({error}): "
            f"write {_EXAMPLE}"
        ) from None


def judged(judge: Judge, expected: Any, actual: Any) -> str:
    """Return the reason why the author's comparison finds two answers different, or "".

    Raise BuildError for its faults.
    """
    name = judge.__name__
    try:
        said: object = judge(expected, actual)
    except Exception as error:
        raise BuildError(
            f"match function {name} raised {type(error).__name__}: {error}{_line(error, judge)}"
        ) from error
    if isinstance(said, str):
        return said
    if isinstance(said, bool) or type(said).__name__ in ("bool_", "bool"):
        return "" if said else f"{name}() found a difference"
    alike = float(said) if isinstance(said, int | float) or hasattr(said, "__float__") else math.nan
    if not 0 <= alike <= 1:
        raise BuildError(
            f"match function {name} returned {said!r}: return True or False, a similarity from 0 to 1 ({ALIKE} and "
            "more match), or a text with the reason of a difference (empty: they match)"
        )
    return "" if alike >= ALIKE else f"{name}() found a similarity of {alike:.2f}, at least {ALIKE} is required"


def _line(error: BaseException, judge: Judge) -> str:
    """Return the last frame of the author's own file, for the message."""
    own = getattr(getattr(judge, "__code__", None), "co_filename", "")
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == own]
    return f' (File "{own}", line {frames[-1].lineno}, in {frames[-1].name}: {frames[-1].line})' if frames else ""
