"""X-Request-Timeout over HTTP: what is too late is refused, or dropped before it is computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.e2e.box import RunningBox
from tests.e2e.deadline import eventually

Deployed = Callable[[str], RunningBox]


def within(box: RunningBox, seconds: str, body: str = '{"seconds": 0}') -> httpx.Response:
    """The answer to a caller of `counts` who waits for so long."""
    headers = {"content-type": "application/json", "x-request-timeout": seconds}
    return box.http.post("/fn/counts", content=body, headers=headers)


@contextmanager
def busy(box: RunningBox, seconds: float) -> Iterator[None]:
    """The only instance of `counts` works; it is through, and has answered, when this is left."""
    with ThreadPoolExecutor(1) as caller:
        running = caller.submit(box.invoke, "counts", seconds=seconds)
        eventually("it runs", lambda: [one.in_flight for one in box.status("counts").instances] == [1])
        yield
        assert running.result().status_code == 200


def test_expired_deadline_is_dropped_before_compute(deployed: Deployed) -> None:
    """504 at the caller's own bound, which it names, while the call waits; the handler never sees it."""
    box = deployed("counts")
    before = box.call("counts", seconds=0)
    with busy(box, 1.5):
        expired = within(box, "0.2")
        assert box.status("counts").queued == 0
    assert expired.status_code == 504
    assert "0.2 s of its X-Request-Timeout" in expired.json()["detail"]
    assert box.call("counts", seconds=0) == before + 2


def test_http_disconnect_cancels_queued(deployed: Deployed) -> None:
    """A client that closes its connection takes its call out of the queue; the handler never sees it."""
    box = deployed("counts")
    before = box.call("counts", seconds=0)
    with busy(box, 1.5):
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{box.url}/fn/counts", json={"seconds": 0}, timeout=0.3)
        eventually("nobody waits", lambda: box.status("counts").queued == 0)
    assert box.call("counts", seconds=0) == before + 2
    assert 'outcome="canceled"' in box.http.get("/metrics").text


def test_what_cannot_be_done_in_time_is_refused_at_once(deployed: Deployed) -> None:
    """503 with Retry-After once the box knows how long calls take; counted by its reason, and nothing was computed."""
    box = deployed("counts")
    for _ in range(9):
        seen = box.call("counts", seconds=0.15)
    refused = within(box, "0.02")
    assert refused.status_code == 503, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["error"] == "NotInTime"
    assert int(refused.headers["retry-after"]) >= 1
    assert box.call("counts", seconds=0) == seen + 1
    counted = [line for line in box.http.get("/metrics").text.splitlines() if 'reason="deadline"' in line]
    assert [line for line in counted if 'function="counts"' in line and not line.endswith(" 0.0")]


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf", "1e3", "soon", "0x1", "1,5", ""])
def test_a_timeout_that_is_none(deployed: Deployed, seconds: str) -> None:
    """400 that names the header and says what is accepted."""
    answer = within(deployed("counts"), seconds)
    assert answer.status_code == 400
    assert answer.json()["field"] == "X-Request-Timeout"
    assert "0.25" in answer.json()["detail"]


def test_enough_time_changes_nothing(deployed: Deployed) -> None:
    """A caller with time gets the answer, be its bound above the function's timeout."""
    for seconds in ("15", "15.5", "100000"):
        assert within(deployed("counts"), seconds).status_code == 200
