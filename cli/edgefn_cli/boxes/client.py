"""A box's HTTP API as Python calls, each with the token that belongs to the box.

It owns paths and shapes; it must never print, nor choose a box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias, TypeVar
from urllib.parse import quote

import msgspec

from edgefn.api import routes
from edgefn.api.audit import AuditRecord
from edgefn.api.boxes import BoxInfo
from edgefn.api.deployments import (
    BlobRequest,
    DeployedEvent,
    DeploymentEvent,
    DeployRequest,
    ErrorEvent,
    RevisionInfo,
    RollbackRequest,
)
from edgefn.api.explanations import Explanation
from edgefn.api.functions import FunctionList, FunctionStatus
from edgefn.api.grants import FunctionGrants, GrantList, GrantRequest
from edgefn.api.problems import error_of
from edgefn.api.routes import AdminRoute
from edgefn.api.secrets import SecretInfo, SecretList
from edgefn.api.tokens import CallerInfo, NewToken, TokenList, TokenRequest
from edgefn.errors import BoxUnreachable
from edgefn_cli.boxes.connection import BoxConnection
from edgefn_cli.boxes.discovery import Address
from edgefn_cli.boxes.received import JsonAnswer, Received

# A box answers most admin calls from memory and disk. A drain waits for requests in flight, a rollback may load a
# model. While a deployment goes on, however long, the box says each 3 s that it lives.
ADMIN_S = 30.0
DRAIN_S = 300.0
ALIVE_S = 60.0
GRACE_S = 2.0
CHUNK_BYTES = 256 * 1024

T = TypeVar("T")
Body: TypeAlias = msgspec.Struct | bytes | None


class Client:
    """The box at an address. Use it as a context manager: leaving it closes the connections."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._connection = BoxConnection(address)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def box(self) -> JsonAnswer[BoxInfo]:
        """Return the box's name, version, hardware and engines."""
        return self._ask(routes.BOX)

    def functions(self) -> JsonAnswer[FunctionList]:
        """Return the status of each deployed function."""
        return self._ask(routes.FUNCTIONS)

    def function(self, name: str) -> JsonAnswer[FunctionStatus]:
        """Return the status of one function. Raises FunctionNotFound."""
        return self._ask(routes.FUNCTION, name=name)

    def explain(self, name: str) -> JsonAnswer[Explanation]:
        """Return the function's artifacts by rank with their figures, and advice for more speed.

        Raises FunctionNotFound.
        """
        return self._ask(routes.EXPLAIN, name=name)

    def missing(self, digests: list[str]) -> list[str]:
        """Return the digests of `digests` that the box does not have yet."""
        return self._ask(routes.MISSING, body=BlobRequest(digests)).value.missing

    def upload(self, digest: str, path: Path, sent: Callable[[int], None]) -> None:
        """Upload the file `path` as the blob `digest`; call `sent` with the byte count of each piece."""
        headers = {"content-length": str(path.stat().st_size), "content-type": routes.OCTETS}
        path_ = routes.UPLOAD.at(digest=digest)
        self._admin(routes.UPLOAD.method, path_, timeout_s=DRAIN_S, content=_chunks(path, sent), headers=headers)

    def deploy(self, name: str, manifest: str) -> Iterator[DeploymentEvent]:
        """Deploy the bundle `manifest` as `name`; yield the steps as they happen, the last one DeployedEvent.

        Raises the error that the box refused it with.
        """
        body = DeployRequest(manifest)
        with self._stream(routes.DEPLOY, ALIVE_S, body=body, name=name) as lines:
            for line in filter(str.strip, lines):
                event = self._connection.event(line)
                if isinstance(event, ErrorEvent):
                    raise error_of(event)
                if event is not None:
                    yield event
                if isinstance(event, DeployedEvent):
                    return
        advice = f"`edgefn status {name}` shows the current revision"
        raise BoxUnreachable(
            f"the connection to the box at {self.address.url} broke during the deployment of {name}: {advice}"
        )

    def stop(self, name: str) -> JsonAnswer[FunctionStatus]:
        """Stop the function's processes and return its status; the next request starts it again."""
        return self._ask(routes.STOP, timeout_s=DRAIN_S, name=name)

    def rollback(self, name: str, number: int | None = None) -> JsonAnswer[RevisionInfo]:
        """Switch the function to its revision `number`, or to the one before the current; return it."""
        return self._ask(routes.ROLLBACK, timeout_s=DRAIN_S, body=RollbackRequest(number), name=name)

    def remove(self, name: str) -> None:
        """Remove the function from the box."""
        self._tell(routes.REMOVE, timeout_s=DRAIN_S, name=name)

    def all_grants(self) -> JsonAnswer[GrantList]:
        """Return the grants of all functions."""
        return self._ask(routes.GRANTS)

    def grants(self, name: str) -> JsonAnswer[FunctionGrants]:
        """Return what the function asks for, and its grants."""
        return self._ask(routes.FUNCTION_GRANTS, name=name)

    def allow(self, name: str, kind: str, value: str, *, revoke: bool = False) -> JsonAnswer[FunctionGrants]:
        """Grant the function a permission, or revoke it; return its requests and grants."""
        route = routes.REVOKE if revoke else routes.ALLOW
        return self._ask(route, timeout_s=DRAIN_S, body=GrantRequest(kind, value), name=name)

    def secrets(self) -> JsonAnswer[SecretList]:
        """Return the names of the box's secrets; never a value."""
        return self._ask(routes.SECRETS)

    def set_secret(self, name: str, value: bytes) -> JsonAnswer[SecretInfo]:
        """Keep `value` on the box as `name`."""
        return self._ask(routes.SET_SECRET, body=value, name=name)

    def remove_secret(self, name: str) -> None:
        """Remove the secret `name` from the box."""
        self._tell(routes.REMOVE_SECRET, name=name)

    def audit(self, lines: int, *, follow: bool) -> Iterator[JsonAnswer[AuditRecord]]:
        """Yield the last `lines` records of the audit log, and with `follow` each new one."""
        with self._stream(routes.AUDIT, None if follow else ADMIN_S, params=_asked(lines, follow)) as found:
            for line in filter(str.strip, found):
                yield self._connection.answer(line, AuditRecord)

    def logs(self, name: str, lines: int, *, follow: bool) -> Iterator[str]:
        """Yield the last `lines` lines of the function's log, and with `follow` each new one."""
        wait_s = None if follow else ADMIN_S
        with self._stream(routes.LOGS, wait_s, params=_asked(lines, follow), name=name) as found:
            yield from found

    def caller(self) -> CallerInfo:
        """Return the name and the scopes of the token that is sent."""
        return self._ask(routes.CALLER).value

    def tokens(self) -> JsonAnswer[TokenList]:
        """Return the box's tokens: name, scopes, rate, time of creation, and uses since the box's start."""
        return self._ask(routes.TOKENS)

    def create_token(self, name: str, scopes: list[str], rate: float | None) -> JsonAnswer[NewToken]:
        """Create a token and return it. No later answer contains its value."""
        return self._ask(routes.CREATE_TOKEN, body=TokenRequest(name, scopes, rate))

    def rotate_token(self, name: str) -> JsonAnswer[NewToken]:
        """Replace the token's value and return the new one; the old one opens nothing any more."""
        return self._ask(routes.ROTATE_TOKEN, token=name)

    def revoke_token(self, name: str) -> None:
        """Revoke the token: it opens nothing any more."""
        self._tell(routes.REVOKE_TOKEN, token=name)

    def invoke(self, name: str, *, timeout_s: float, **body: Any) -> Received:
        """Call the function and return its answer (2xx). Raises the error that it failed with.

        `body`: httpx's content, files, data, headers. The box gets `timeout_s` as the caller's limit, and a moment more
        to answer that it was not kept.
        """
        path = f"fn/{quote(name, safe='')}"
        headers = {"x-request-timeout": _decimal(timeout_s)} | self._token() | body.pop("headers", {})
        return self._connection.request("POST", path, timeout_s=timeout_s + GRACE_S, headers=headers, **body)

    def _ask(
        self, route: AdminRoute[T], *, timeout_s: float = ADMIN_S, body: Body = None, **names: str
    ) -> JsonAnswer[T]:
        text = self._admin(route.method, route.at(**names), timeout_s=timeout_s, **_sent(body))
        return self._connection.answer(text, route.answer)

    def _tell(self, route: AdminRoute[None], *, timeout_s: float = ADMIN_S, **names: str) -> None:
        self._admin(route.method, route.at(**names), timeout_s=timeout_s)

    def _admin(self, method: str, path: str, *, timeout_s: float, **options: Any) -> str:
        headers = self._token() | options.pop("headers", {})
        return self._connection.request(method, f"admin{path}", timeout_s=timeout_s, headers=headers, **options).text

    def _stream(
        self,
        route: AdminRoute[Any],
        timeout_s: float | None,
        *,
        body: Body = None,
        params: dict[str, str] | None = None,
        **names: str,
    ) -> AbstractContextManager[Iterator[str]]:
        options: dict[str, Any] = {"params": params} if params else {}
        options |= _sent(body)
        options["headers"] = self._token() | options.get("headers", {})
        return self._connection.stream(route.method, f"admin{route.at(**names)}", timeout_s=timeout_s, **options)

    def _token(self) -> dict[str, str]:
        token = self.address.token
        return {} if token is None else {"authorization": f"Bearer {token.value}"}


def _chunks(path: Path, sent: Callable[[int], None]) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk
            sent(len(chunk))


def _decimal(seconds: float) -> str:
    return f"{seconds:.9f}".rstrip("0").rstrip(".")


def _asked(lines: int, follow: bool) -> dict[str, str]:
    return {"lines": str(lines), "follow": str(follow).lower()}


def _sent(body: Body) -> dict[str, Any]:
    """Return httpx's options for a request with `body`."""
    if body is None:
        return {}
    media = routes.OCTETS if isinstance(body, bytes) else routes.JSON
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return {"content": content, "headers": {"content-type": media}}
