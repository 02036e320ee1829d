"""Errors, as RFC 9457 has them, with members of edgefn's own; and each as the very exception that the box raised.

So exit codes carry over the wire. Pure. It must never guess a class: an unknown `error` member stays an EdgefnError
with the box's own words.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import UNSET, UnsetType

from edgefn.errors import DeploymentRefused, EdgefnError, HandlerError, InputError, NotAcceptable, RetryLater


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An error. `error` is the class of edgefn.errors; `field`, `id`, `trace` and `available` go with some of them."""

    type: str = "about:blank"
    title: str = ""
    status: int = 500
    detail: str = ""
    error: str = ""
    field: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    trace: str | UnsetType = UNSET
    available: list[str] | UnsetType = UNSET


def error_of(problem: Problem, *, retry_after_s: int = 1) -> EdgefnError:
    """Make the EdgefnError that `problem` describes. Its message is `detail` unchanged."""
    classes = {cls.__name__: cls for cls in _tree(EdgefnError)}
    cls = classes.get(problem.error, EdgefnError)
    # The constructors compose a message (HandlerError) or prefix one (InputError); the box has done so already.
    error = cls.__new__(cls)
    Exception.__init__(error, problem.detail or problem.title or "the box gave no reason")
    _restore(error, problem, retry_after_s)
    return error


def _restore(error: EdgefnError, problem: Problem, retry_after_s: int) -> None:
    """Set the fields that a class has beside its message."""
    if isinstance(error, DeploymentRefused):
        error.trace = problem.trace or ""
    elif isinstance(error, InputError):
        error.field = problem.field or ""
    elif isinstance(error, NotAcceptable):
        error.available = tuple(problem.available or ())
    elif isinstance(error, RetryLater):
        error.retry_after_s = retry_after_s
    elif isinstance(error, HandlerError):
        error.id = problem.id or ""


def _tree(root: type[EdgefnError]) -> Iterator[type[EdgefnError]]:
    yield root
    for cls in root.__subclasses__():
        yield from _tree(cls)
