"""One HTTP connection pool to one box: its failures come out as EdgefnErrors.

The box's own errors keep their class (by the problem's `error` member), a box that does not answer is
BoxUnreachable. Import it inside a verb, not at the top of one: httpx takes a tenth of a second.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import httpx

from edgefn.api.deployments import DeploymentEvent, read_event
from edgefn.api.problems import Problem, error_of
from edgefn.errors import BoxUnreachable, EdgefnError, Unauthorized
from edgefn_cli.boxes import received
from edgefn_cli.boxes.discovery import Address
from edgefn_cli.boxes.local import reachable
from edgefn_cli.boxes.received import JsonAnswer, Received, Strange

T = TypeVar("T")

CONNECT_S = 5.0
_SECONDS = re.compile(r"[0-9]{1,9}", re.ASCII)
_PLAIN = {"accept-encoding": "identity"}


class BoxConnection:
    """HTTP to the box at `address`. Paths are below its URL; answers are 2xx or raised."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._http = _own_socket(address) if address.socket is not None else _network(address)

    def close(self) -> None:
        """Close every socket."""
        self._http.close()

    def request(self, method: str, path: str, *, timeout_s: float, **options: Any) -> Received:
        """Send a request and return the answer, read completely."""
        began = time.monotonic()
        with self._told(), self._asked(method, path, timeout_s, options) as response:
            answer = received.whole(response, timeout_s, began)
            return self._checked(answer)

    @contextmanager
    def stream(self, method: str, path: str, *, timeout_s: float | None, **options: Any) -> Iterator[Iterator[str]]:
        """Open a stream: yield an iterator over the lines of the answer as they come.

        `timeout_s` bounds each wait for more; None waits without end.
        """
        with self._told(), self._asked(method, path, timeout_s, options) as response:
            if not response.is_success:
                self._checked(received.whole(response, timeout_s, time.monotonic()))
            yield received.lines(response)

    def answer(self, text: str, kind: type[T]) -> JsonAnswer[T]:
        """Parse the JSON `text` that the box sent as a `kind`. Raises BoxUnreachable when it is none."""
        with self._told():
            return received.answer(text, kind)

    def event(self, line: str) -> DeploymentEvent | None:
        """Parse an event of a deployment; None for a kind that only a newer box has. Raises BoxUnreachable."""
        with self._told():
            return received.decoded(line, read_event)

    def _asked(
        self, method: str, path: str, timeout_s: float | None, options: dict[str, Any]
    ) -> AbstractContextManager[httpx.Response]:
        headers = _PLAIN | options.pop("headers", {})
        return self._http.stream(method, path, timeout=_timeout(timeout_s), headers=headers, **options)

    def _checked(self, answer: Received) -> Received:
        if 200 <= answer.status < 300:
            return answer
        if not answer.headers.get("content-type", "").startswith("application/problem+json"):
            raise Strange(f"{answer.status} {answer.reason}")
        raise self._error(answer)

    def _error(self, answer: Received) -> EdgefnError:
        wait = answer.headers.get("retry-after", "")
        told = received.answer(answer.text, Problem).value
        error = error_of(told, retry_after_s=int(wait) if _SECONDS.fullmatch(wait) else 1)
        return Unauthorized(f"{error} ({self.address.advice()})") if isinstance(error, Unauthorized) else error

    @contextmanager
    def _told(self) -> Iterator[None]:
        url = self.address.url
        try:
            yield
        except Strange as error:
            who = f"the server at {url} is not an edgefn box, or is one of another version"
            raise BoxUnreachable(f"{who}: it answered {error}. Choose the box with --box") from error
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                advice = f"`edgefn login {url}` shows the certificate and lets you compare it"
                raise BoxUnreachable(f"the certificate of {url} is not trusted ({error}): {advice}") from error
            advice = "start one with `edgefn box run`, or choose another with --box"
            raise BoxUnreachable(f"no box answers at {url} ({error}): {advice}") from error
        except httpx.TimeoutException as error:
            advice = "`edgefn box info` shows whether it is up"
            raise BoxUnreachable(f"the box at {url} did not answer in time: {advice}") from error
        except httpx.TransportError as error:
            raise BoxUnreachable(f"the connection to the box at {url} broke ({error}): try again") from error


def _own_socket(address: Address) -> httpx.Client:
    """Return a client that reaches the box of this user on this machine by its socket, and nothing else."""
    assert address.socket is not None
    transport = httpx.HTTPTransport(uds=reachable(address.socket), verify=False)
    return httpx.Client(base_url=f"http://{address.url.partition('://')[2]}", transport=transport, trust_env=False)


def _network(address: Address) -> httpx.Client:
    """Return a client that reaches the box by its URL.

    A proxy of the environment sees TLS and never a token.
    """
    encrypted = address.url.startswith("https:")
    # Reading the CA certificates takes 20 ms, which plain HTTP has no use for.
    return httpx.Client(
        base_url=address.url, trust_env=encrypted, verify=address.trust.context() if encrypted else False
    )


def _timeout(seconds: float | None) -> httpx.Timeout:
    return httpx.Timeout(seconds, connect=CONNECT_S)
