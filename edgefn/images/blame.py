"""Whose fault a picture is: a request's is the caller's to mend, the function's own is its author's.

the caller's   InputError, PictureTooLarge    400, 413
the author's   ValueError, MemoryError        500, with a trace in the log
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edgefn.errors import InputError, PictureTooLarge


@contextmanager
def to_caller(field: str) -> Iterator[None]:
    """Raise PictureTooLarge where decoded pixels found no memory; InputErrors are the caller's as they are."""
    try:
        yield
    except MemoryError as error:
        from edgefn.images.memory import release  # not before it is needed: it is not light

        release(error)
        raise PictureTooLarge(
            "needs more memory for decoding than the function has; send a smaller picture, or give the function more "
            "`memory`",
            field=field,
        ) from error


@contextmanager
def to_author() -> Iterator[None]:
    """Raise MemoryError and ValueError meanwhile, in place of the errors that are meant for a caller."""
    try:
        yield
    except PictureTooLarge as error:
        raise MemoryError(str(error)) from error
    except InputError as error:
        raise ValueError(str(error)) from error
