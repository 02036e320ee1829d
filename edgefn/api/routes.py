"""The routes of the admin API, below /admin: what each takes, and what it answers."""

from __future__ import annotations

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
    """A route: its `id` and `summary` for people, the struct of its `answer`, and the struct that it `takes`.

    `media` is the answer's; LINES is one object a line. A `log` takes the query `lines` and `follow`. `problems` are
    the statuses of errors that not every route has.
    """

    method: str
    path: str
    id: str
    summary: str
    answer: type[Answer] | Any
    problems: tuple[str, ...] = ()
    takes: type[Any] | None = None
    status: int = 200
    media: str = JSON
    log: bool = False

    def at(self, **names: str) -> str:
        """Return the path with `names` in it."""
        return self.path.format(**{word: quote(name, safe=":") for word, name in names.items()})


_FUNCTION = "/functions/{name}"

BOX: AdminRoute[BoxInfo] = AdminRoute(
    "GET", "/box", "getBox", "What this box is, and which targets it satisfies.", BoxInfo
)
FUNCTIONS: AdminRoute[FunctionList] = AdminRoute(
    "GET", "/functions", "listFunctions", "The status of every function.", FunctionList
)
FUNCTION: AdminRoute[FunctionStatus] = AdminRoute(
    "GET", _FUNCTION, "getFunction", "The function's status.", FunctionStatus, ("404",)
)
REMOVE: AdminRoute[None] = AdminRoute(
    "DELETE", _FUNCTION, "removeFunction", "The function is no longer deployed.", None, ("404",), status=204
)
DEPLOY: AdminRoute[DeploymentEvent] = AdminRoute(
    "POST",
    f"{_FUNCTION}/deploy",
    "deployFunction",
    "One JSON object a line: step, warning and alive events, then one event deployed or error.",
    DeploymentEvent,
    ("400", "422", "503", "507"),
    takes=DeployRequest,
    media=LINES,
)
STOP: AdminRoute[FunctionStatus] = AdminRoute(
    "POST",
    f"{_FUNCTION}/stop",
    "stopFunction",
    "No process is left; the next request starts it.",
    FunctionStatus,
    ("404",),
)
ROLLBACK: AdminRoute[RevisionInfo] = AdminRoute(
    "POST",
    f"{_FUNCTION}/rollback",
    "rollbackFunction",
    "The revision of that number serves, or the one before.",
    RevisionInfo,
    ("400", "404", "422"),
    takes=RollbackRequest,
)
EXPLAIN: AdminRoute[Explanation] = AdminRoute(
    "GET",
    f"{_FUNCTION}/explain",
    "explainFunction",
    "Why it is served with the artifacts that it is, and what would make it faster.",
    Explanation,
    ("404",),
)
LOGS: AdminRoute[str] = AdminRoute(
    "GET",
    f"{_FUNCTION}/logs",
    "getLogs",
    "The last lines of the function's log, and with follow the next ones as they come.",
    str,
    ("400", "404"),
    media=TEXT,
    log=True,
)
CALLER: AdminRoute[CallerInfo] = AdminRoute(
    "GET", "/token", "getCaller", "Whose token it is, and what it opens.", CallerInfo
)
TOKENS: AdminRoute[TokenList] = AdminRoute(
    "GET", "/tokens", "listTokens", "The box's tokens, without their values.", TokenList
)
CREATE_TOKEN: AdminRoute[NewToken] = AdminRoute(
    "POST",
    "/tokens",
    "createToken",
    "A new token, its value in this answer and in no other.",
    NewToken,
    ("400", "413"),
    takes=TokenRequest,
    status=201,
)
REVOKE_TOKEN: AdminRoute[None] = AdminRoute(
    "DELETE",
    "/tokens/{token}",
    "revokeToken",
    "The token opens nothing any more.",
    None,
    ("400", "404"),
    status=204,
)
ROTATE_TOKEN: AdminRoute[NewToken] = AdminRoute(
    "POST",
    "/tokens/{token}/rotate",
    "rotateToken",
    "The token's new value; the one before opens nothing any more.",
    NewToken,
    ("404",),
)
FUNCTION_GRANTS: AdminRoute[FunctionGrants] = AdminRoute(
    "GET",
    f"{_FUNCTION}/grants",
    "getGrants",
    "What the function asks for and has been granted.",
    FunctionGrants,
    ("400",),
)
ALLOW: AdminRoute[FunctionGrants] = AdminRoute(
    "POST",
    f"{_FUNCTION}/grants",
    "allow",
    "The function may have it; what waited for it alone is served.",
    FunctionGrants,
    ("400",),
    takes=GrantRequest,
)
REVOKE: AdminRoute[FunctionGrants] = AdminRoute(
    "POST",
    f"{_FUNCTION}/grants/revoke",
    "revoke",
    "The function may not have it; where it asks for it, it is not served any more.",
    FunctionGrants,
    ("400",),
    takes=GrantRequest,
)
GRANTS: AdminRoute[GrantList] = AdminRoute(
    "GET", "/grants", "listGrants", "What all functions have been granted.", GrantList
)
SECRETS: AdminRoute[SecretList] = AdminRoute(
    "GET", "/secrets", "listSecrets", "The names of the box's secrets, and how they are sealed.", SecretList
)
SET_SECRET: AdminRoute[SecretInfo] = AdminRoute(
    "PUT",
    "/secrets/{name}",
    "setSecret",
    "The box keeps the body as a secret of that name.",
    SecretInfo,
    ("400", "413", "507"),
    takes=bytes,
)
REMOVE_SECRET: AdminRoute[None] = AdminRoute(
    "DELETE", "/secrets/{name}", "removeSecret", "The box has no secret of that name.", None, ("400",), status=204
)
AUDIT: AdminRoute[AuditRecord] = AdminRoute(
    "GET",
    "/audit",
    "getAudit",
    "The last records of who did what, one JSON object a line, and with follow the next ones as they come.",
    AuditRecord,
    ("400",),
    media=LINES,
    log=True,
)
MISSING: AdminRoute[MissingBlobs] = AdminRoute(
    "POST",
    "/blobs/missing",
    "listMissingBlobs",
    "Those of the digests that the box does not have.",
    MissingBlobs,
    ("400", "413"),
    takes=BlobRequest,
)
UPLOAD: AdminRoute[None] = AdminRoute(
    "PUT",
    "/blobs/{digest}",
    "putBlob",
    "The box has the blob, and its bytes have that digest.",
    None,
    ("400", "411", "507"),
    takes=bytes,
    status=201,
)

ROUTES: tuple[AdminRoute[Any], ...] = (
    *(BOX, FUNCTIONS, FUNCTION, REMOVE, DEPLOY, STOP, ROLLBACK, EXPLAIN, LOGS),
    *(CALLER, TOKENS, CREATE_TOKEN, REVOKE_TOKEN, ROTATE_TOKEN),
    *(FUNCTION_GRANTS, ALLOW, REVOKE, GRANTS, SECRETS, SET_SECRET, REMOVE_SECRET, AUDIT, MISSING, UPLOAD),
)
