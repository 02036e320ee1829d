"""What a token opens: `admin`, `status`, `invoke:FUNCTION` or `invoke:*`. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection

from edgefn.errors import InputError
from edgefn.spec import NAME_PATTERN

ADMIN, STATUS, ANY_FUNCTION = "admin", "status", "invoke:*"
_INVOKE = "invoke:"
_FUNCTION = re.compile(NAME_PATTERN)
MAX_SCOPES = 100


def checked(scopes: Collection[str]) -> tuple[str, ...]:
    """Return `scopes`, each once, in order. Raises InputError for one that there is none of."""
    if not 1 <= len(scopes) <= MAX_SCOPES:
        raise InputError(f"give 1 to {MAX_SCOPES} scopes", field="scopes")
    for scope in scopes:
        if scope not in (ADMIN, STATUS, ANY_FUNCTION) and not _FUNCTION.fullmatch(scope.removeprefix(_INVOKE)):
            raise _unknown(scope)
        if scope not in (ADMIN, STATUS) and not scope.startswith(_INVOKE):
            raise _unknown(scope)
    return tuple(sorted(set(scopes)))


def opens_admin(scopes: Collection[str]) -> bool:
    """Tell whether everything of the admin API is open."""
    return ADMIN in scopes


def opens_status(scopes: Collection[str]) -> bool:
    """Tell whether functions and figures may be looked at."""
    return STATUS in scopes or ADMIN in scopes


def opens_function(scopes: Collection[str], function: str) -> bool:
    """Tell whether `function` may be called."""
    return f"{_INVOKE}{function}" in scopes or ANY_FUNCTION in scopes or ADMIN in scopes


def _unknown(scope: str) -> InputError:
    return InputError(f"{scope[:80]!r} is not a scope: use admin, status, invoke:FUNCTION or invoke:*", field="scopes")
