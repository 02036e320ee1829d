"""A box's HTTP API as Python calls, each with the token that belongs to the box.

It owns paths and shapes; it must never print, nor choose a box.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeAlias
from urllib.parse import quote

from edgefn.errors import BoxUnreachable
from edgefn_cli.boxes.connection import BoxConnection
from edgefn_cli.boxes.discovery import Address
from edgefn_cli.boxes.problems import error_of
from edgefn_cli.boxes.received import Received

# A box answers most admin calls from memory and disk. A drain waits for requests in flight, a rollback may load a
# model. While a deployment goes on, however long, the box says each 3 s that it lives.
ADMIN_S = 30.0
DRAIN_S = 300.0
ALIVE_S = 60.0
GRACE_S = 2.0
CHUNK_BYTES = 256 * 1024

Json: TypeAlias = dict[str, Any]


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

    def box(self) -> Json:
        """Return the box's name, version, pid, home and engines."""
        return self._admin("GET", "box")

    def functions(self) -> list[Json]:
        """Return the status of each deployed function."""
        return list(self._admin("GET", "functions")["functions"])

    def function(self, name: str) -> Json:
        """Return the status of one function. Raises FunctionNotFound."""
        return self._admin("GET", _function(name))

    def explain(self, name: str) -> Json:
        """Return the function's artifacts by rank with their figures, and advice for more speed.

        Raises FunctionNotFound.
        """
        return self._admin("GET", f"{_function(name)}/explain")

    def missing(self, digests: list[str]) -> list[str]:
        """Return the digests of `digests` that the box does not have yet."""
        return list(self._admin("POST", "blobs/missing", json={"digests": digests})["missing"])

    def upload(self, digest: str, path: Path, sent: Callable[[int], None]) -> None:
        """Upload the file `path` as the blob `digest`; call `sent` with the byte count of each piece."""
        headers = {"content-length": str(path.stat().st_size), "content-type": "application/octet-stream"}
        target = f"blobs/{quote(digest, safe=':')}"
        self._admin("PUT", target, timeout_s=DRAIN_S, content=_chunks(path, sent), headers=headers)

    def deploy(self, name: str, manifest: str) -> Iterator[Json]:
        """Deploy the bundle `manifest` as `name`; yield the steps as they happen, the last one "deployed".

        Raises the error that the box refused it with.
        """
        with self._stream("POST", f"{_function(name)}/deploy", ALIVE_S, json={"manifest": manifest}) as lines:
            for line in filter(str.strip, lines):
                event = self._connection.members(line)
                if event.get("event") == "error":
                    raise error_of(event)
                yield event
                if event.get("event") == "deployed":
                    return
        advice = f"`edgefn status {name}` shows the current revision"
        raise BoxUnreachable(
            f"the connection to the box at {self.address.url} broke during the deployment of {name}: {advice}"
        )

    def stop(self, name: str) -> Json:
        """Stop the function's processes and return its status; the next request starts it again."""
        return self._admin("POST", f"{_function(name)}/stop", timeout_s=DRAIN_S)

    def rollback(self, name: str, number: int | None = None) -> Json:
        """Switch the function to its revision `number`, or to the one before the current; return it."""
        body = {} if number is None else {"number": number}
        return self._admin("POST", f"{_function(name)}/rollback", timeout_s=DRAIN_S, json=body)

    def remove(self, name: str) -> None:
        """Remove the function from the box."""
        self._admin("DELETE", _function(name), timeout_s=DRAIN_S)

    def grants(self, name: str = "") -> Json:
        """Return the grants of all functions, or those of one with its requests."""
        return self._admin("GET", f"{_function(name)}/grants" if name else "grants")

    def allow(self, name: str, kind: str, value: str, *, revoke: bool = False) -> Json:
        """Grant the function a permission, or revoke it; return its requests and grants."""
        path = f"{_function(name)}/grants{'/revoke' * revoke}"
        return self._admin("POST", path, timeout_s=DRAIN_S, json={"kind": kind, "value": value})

    def secrets(self) -> list[Json]:
        """Return the names of the box's secrets; never a value."""
        return list(self._admin("GET", "secrets")["secrets"])

    def set_secret(self, name: str, value: bytes) -> Json:
        """Keep `value` on the box as `name`."""
        headers = {"content-type": "application/octet-stream"}
        return self._admin("PUT", f"secrets/{quote(name, safe='')}", content=value, headers=headers)

    def remove_secret(self, name: str) -> None:
        """Remove the secret `name` from the box."""
        self._admin("DELETE", f"secrets/{quote(name, safe='')}")

    def audit(self, lines: int, *, follow: bool) -> Iterator[Json]:
        """Yield the last `lines` records of the audit log, and with `follow` each new one."""
        query = {"lines": str(lines), "follow": str(follow).lower()}
        with self._stream("GET", "audit", None if follow else ADMIN_S, params=query) as found:
            for line in filter(str.strip, found):
                yield self._connection.members(line)

    def logs(self, name: str, lines: int, *, follow: bool) -> Iterator[str]:
        """Yield the last `lines` lines of the function's log, and with `follow` each new one."""
        query = {"lines": str(lines), "follow": str(follow).lower()}
        wait_s = None if follow else ADMIN_S
        with self._stream("GET", f"{_function(name)}/logs", wait_s, params=query) as found:
            yield from found

    def caller(self) -> tuple[str, list[str]]:
        """Return the name and the scopes of the token that is sent."""
        found = self._admin("GET", "token")
        name, scopes = found["name"], found["scopes"]
        if not isinstance(name, str) or not isinstance(scopes, list):
            raise BoxUnreachable(
                f"the server at {self.address.url} did not confirm the token: check that the URL is that of an "
                "edgefn box"
            )
        return name, list(map(str, scopes))

    def tokens(self) -> list[Json]:
        """Return the box's tokens: name, scopes, rate, time of creation, and uses since the box's start."""
        return list(self._admin("GET", "tokens")["tokens"])

    def create_token(self, name: str, scopes: list[str], rate: float | None) -> Json:
        """Create a token and return it. No later answer contains its value."""
        return self._admin("POST", "tokens", json={"name": name, "scopes": scopes, "rate": rate})

    def rotate_token(self, name: str) -> Json:
        """Replace the token's value and return the new one; the old one opens nothing any more."""
        return self._admin("POST", f"tokens/{quote(name, safe='')}/rotate")

    def revoke_token(self, name: str) -> None:
        """Revoke the token: it opens nothing any more."""
        self._admin("DELETE", f"tokens/{quote(name, safe='')}")

    def invoke(self, name: str, *, timeout_s: float, **body: Any) -> Received:
        """Call the function and return its answer (2xx). Raises the error that it failed with.

        `body`: httpx's content, files, data, headers. The box gets `timeout_s` as the caller's limit, and a moment more
        to answer that it was not kept.
        """
        path = f"fn/{quote(name, safe='')}"
        headers = {"x-request-timeout": _decimal(timeout_s)} | self._token() | body.pop("headers", {})
        return self._connection.request("POST", path, timeout_s=timeout_s + GRACE_S, headers=headers, **body)

    def _admin(self, method: str, path: str, *, timeout_s: float = ADMIN_S, **options: Any) -> Json:
        headers = self._token() | options.pop("headers", {})
        options |= {"timeout_s": timeout_s, "headers": headers}
        text = self._connection.request(method, f"admin/{path}", **options).text
        return self._connection.members(text) if text else {}

    def _stream(self, method: str, path: str, timeout_s: float | None, **options: Any) -> Any:
        options |= {"timeout_s": timeout_s, "headers": self._token()}
        return self._connection.stream(method, f"admin/{path}", **options)

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


def _function(name: str) -> str:
    return f"functions/{quote(name, safe='')}"
