"""problem+json from a box, as the very exception that the box raised: so exit codes carry over the wire.

Pure. It must never guess a class: an unknown `error` member stays an EdgefnError with the box's own words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from edgefn.errors import DeploymentRefused, EdgefnError, HandlerError, InputError, NotAcceptable, RetryLater


def error_of(members: Mapping[str, Any], *, retry_after_s: int = 1) -> EdgefnError:
    """Make the EdgefnError that `members` (RFC 9457, plus our `error`) describe.

    Its message is `detail` unchanged.
    """
    classes = {cls.__name__: cls for cls in _tree(EdgefnError)}
    cls = classes.get(str(members.get("error", "")), EdgefnError)
    # The constructors compose a message (HandlerError) or prefix one (InputError); the box has done so already.
    error = cls.__new__(cls)
    Exception.__init__(error, str(members.get("detail") or members.get("title") or "the box gave no reason"))
    _restore(error, members, retry_after_s)
    return error


def _restore(error: EdgefnError, members: Mapping[str, Any], retry_after_s: int) -> None:
    """Set the fields that a class has beside its message."""
    if isinstance(error, DeploymentRefused):
        error.trace = str(members.get("trace", ""))
    elif isinstance(error, InputError):
        error.field = str(members.get("field", ""))
    elif isinstance(error, NotAcceptable):
        available = members.get("available")
        error.available = tuple(map(str, available)) if isinstance(available, list) else ()
    elif isinstance(error, RetryLater):
        error.retry_after_s = retry_after_s
    elif isinstance(error, HandlerError):
        error.id = str(members.get("id", ""))


def _tree(root: type[EdgefnError]) -> Iterator[type[EdgefnError]]:
    yield root
    for cls in root.__subclasses__():
        yield from _tree(cls)
