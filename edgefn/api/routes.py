"""The routes of the admin API, below /admin: what each takes, and what it answers."""

from __future__ import annotations

from types import NoneType
from typing import Any, Generic, NamedTuple, TypeVar
from urllib.parse import quote

from edgefn.api.audit import AuditRecord
from edgefn.api.boxes import BoxInfo
from edgefn.api.deployments import (
    BlobRequest,
    DeploymentEvent,
    DeployRequest,
    MissingBlobs,
    RevisionInfo,
    RollbackRequest,
)
from edgefn.api.explanations import Explanation
from edgefn.api.functions import FunctionList, FunctionStatus
from edgefn.api.grants import FunctionGrants, GrantList, GrantRequest
from edgefn.api.secrets import SecretInfo, SecretList
from edgefn.api.tokens import CallerInfo, NewToken, TokenList, TokenRequest

Answer = TypeVar("Answer")

JSON, LINES, TEXT, OCTETS = "application/json", "application/x-ndjson", "text/plain", "application/octet-stream"


class AdminRoute(NamedTuple, Generic[Answer]):
    """A route: its `id` and `summary` for people, and the types of its `answer` and of what it `takes`, if any.

    `problems` are the statuses of errors that not every route has. `media` is the answer's; LINES is one object a line.
    A `log` takes the query `lines` and `follow`.
    """

    method: str
    path: str
    id: str
    summary: str
    answer: Any
    problems: tuple[str, ...] = ()
    takes: type[Any] | None = None
    status: int = 200
    media: str = JSON
    log: bool = False

    def at(self, **names: str) -> str:
        """Return the path with `names` in it."""
        return self.path.format(**{word: quote(name, safe=":") for word, name in names.items()})


def _route(answer: type[Answer], at: str, id: str, summary: str, problems: str = "", **more: Any) -> AdminRoute[Answer]:
    method, _, path = at.partition(" ")
    return AdminRoute(
        method, path, id, summary, None if answer is NoneType else answer, tuple(problems.split()), **more
    )


_OF = "/functions/{name}"

BOX = _route(BoxInfo, "GET /box", "getBox", "Facts about this box, and the targets that it satisfies.")
FUNCTIONS = _route(FunctionList, "GET /functions", "listFunctions", "The status of every function.")
FUNCTION = _route(FunctionStatus, f"GET {_OF}", "getFunction", "The function's status.", "404")
REMOVE = _route(NoneType, f"DELETE {_OF}", "removeFunction", "The function is no longer deployed.", "404", status=204)
DEPLOY: AdminRoute[DeploymentEvent] = AdminRoute(
    "POST",
    f"{_OF}/deploy",
    "deployFunction",
    "One JSON object a line: step and alive events, then one event deployed or error.",
    DeploymentEvent,
    ("400", "422", "503", "507"),
    takes=DeployRequest,
    media=LINES,
)
STOP = _route(
    FunctionStatus,
    f"POST {_OF}/stop",
    "stopFunction",
    "The function has no process left; the next request starts one.",
    "404",
)
ROLLBACK = _route(
    RevisionInfo,
    f"POST {_OF}/rollback",
    "rollbackFunction",
    "The revision of that number is live, or the previous one.",
    "400 404 422",
    takes=RollbackRequest,
)
EXPLAIN = _route(
    Explanation,
    f"GET {_OF}/explain",
    "explainFunction",
    "Which artifacts serve the function and why, and what would make it faster.",
    "404",
)
LOGS = _route(
    str,
    f"GET {_OF}/logs",
    "getLogs",
    "The last lines of the function's log; with follow, then each new line.",
    "400 404",
    media=TEXT,
    log=True,
)
CALLER = _route(CallerInfo, "GET /token", "getCaller", "The token's name and scopes.")
TOKENS = _route(TokenList, "GET /tokens", "listTokens", "The box's tokens, without their values.")
CREATE_TOKEN = _route(
    NewToken,
    "POST /tokens",
    "createToken",
    "A new token; only this answer holds its value.",
    "400 413",
    takes=TokenRequest,
    status=201,
)
REVOKE_TOKEN = _route(NoneType, "DELETE /tokens/{token}", "revokeToken", "The token is revoked.", "400 404", status=204)
ROTATE_TOKEN = _route(
    NewToken,
    "POST /tokens/{token}/rotate",
    "rotateToken",
    "The token's new value; the old one is invalid.",
    "404",
)
FUNCTION_GRANTS = _route(
    FunctionGrants,
    f"GET {_OF}/grants",
    "getGrants",
    "The permissions that the function asks for, and those that it has.",
    "400",
)
ALLOW = _route(
    FunctionGrants,
    f"POST {_OF}/grants",
    "allow",
    "The permission is granted; a function that only lacked this one is served.",
    "400",
    takes=GrantRequest,
)
REVOKE = _route(
    FunctionGrants,
    f"POST {_OF}/grants/revoke",
    "revoke",
    "The permission is revoked; a function that asks for it is no longer served.",
    "400",
    takes=GrantRequest,
)
GRANTS = _route(GrantList, "GET /grants", "listGrants", "The permissions granted to all functions.")
SECRETS = _route(SecretList, "GET /secrets", "listSecrets", "The names of the box's secrets, and how they are sealed.")
SET_SECRET = _route(
    SecretInfo,
    "PUT /secrets/{name}",
    "setSecret",
    "The box stores the body as a secret of that name.",
    "400 413 507",
    takes=bytes,
)
REMOVE_SECRET = _route(
    NoneType, "DELETE /secrets/{name}", "removeSecret", "The box has no secret of that name.", "400", status=204
)
AUDIT = _route(
    AuditRecord,
    "GET /audit",
    "getAudit",
    "The last records of the audit log, one JSON object a line; with follow, then each new record.",
    "400",
    media=LINES,
    log=True,
)
MISSING = _route(
    MissingBlobs,
    "POST /blobs/missing",
    "listMissingBlobs",
    "The digests that the box lacks.",
    "400 413",
    takes=BlobRequest,
)
UPLOAD = _route(
    NoneType,
    "PUT /blobs/{digest}",
    "putBlob",
    "The box has stored the blob and checked its digest.",
    "400 411 507",
    takes=bytes,
    status=201,
)

ROUTES: tuple[AdminRoute[Any], ...] = (
    *(BOX, FUNCTIONS, FUNCTION, REMOVE, DEPLOY, STOP, ROLLBACK, EXPLAIN, LOGS),
    *(CALLER, TOKENS, CREATE_TOKEN, REVOKE_TOKEN, ROTATE_TOKEN),
    *(FUNCTION_GRANTS, ALLOW, REVOKE, GRANTS, SECRETS, SET_SECRET, REMOVE_SECRET, AUDIT, MISSING, UPLOAD),
)
