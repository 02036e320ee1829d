"""The box's figures, as Prometheus reads them."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from prometheus_client.registry import Collector

from edgefn.errors import NotInTime, QueueFull, RetryLater, Unavailable
from edgefn_runtime.telemetry import exposition, scrape
from edgefn_runtime.telemetry.metrics import Metrics
from edgefn_runtime.telemetry.series import OUTCOMES, REASONS
from edgefn_runtime.workers.footprint import Footprint

DIGEST = "sha256:" + "0123456789abcdef" * 4
SERVING: dict[str, Any] = {
    "name": "echo",
    "state": "serving",
    "queued": 3,
    "instances": [
        {"pid": 1, "state": "ready", "private_bytes": 1000},
        {"pid": 2, "state": "ready", "private_bytes": 500},
        {"pid": 3, "state": "starting", "private_bytes": None},
    ],
    "template": {"pid": 4, "private_bytes": 7000},
    "output": {"dropped_lines": 70, "dropped_bytes": 700},
}
FAILED: dict[str, Any] = {"name": "broken", "state": "failed", "reason": "it does not import"}


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample: (name, label values in the order of the labels' names) → value."""
    _, body = metrics.render()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in parse(body.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_how_they_ended() -> None:
    """Each outcome has its counter, those at 0 too; what ran is timed, what was refused is not."""
    metrics = Metrics(lambda: [])
    handle = metrics.invocation("echo", DIGEST)
    handle.observe("ok", 0.004, True)
    handle.observe("ok", 0.002, False)
    handle.observe("rejected", 0.0, False)
    found = samples(metrics)
    short = "0123456789ab"
    assert found["edgefn_invocations_total", "echo", "ok", short] == 2
    assert found["edgefn_invocations_total", "echo", "rejected", short] == 1
    assert all(("edgefn_invocations_total", "echo", outcome, short) in found for outcome in OUTCOMES)
    assert found["edgefn_invoke_duration_seconds_count", "echo", short] == 2
    assert found["edgefn_coldstarts_total", "echo", short] == 1


def test_refusals_are_counted_by_why() -> None:
    """One more series a reason, those at 0 too; the reasons are those of the errors."""
    metrics = Metrics(lambda: [])
    metrics.invocation("echo", DIGEST).rejected("deadline")
    found = samples(metrics)
    counted = {reason: found["edgefn_rejections_total", "echo", reason, "0123456789ab"] for reason in REASONS}
    assert counted == {"queue": 0, "deadline": 1, "unavailable": 0}
    assert {error.reason for error in (RetryLater, QueueFull, NotInTime, Unavailable)} == set(REASONS)
    metrics.remove("echo")
    assert not [key for key in samples(metrics) if "echo" in key]


def test_a_handle_is_made_once() -> None:
    """The request's way looks a handle up and finds the same one."""
    metrics = Metrics(lambda: [])
    assert metrics.invocation("echo") is metrics.invocation("echo")
    assert metrics.invocation("echo") is not metrics.invocation("echo", DIGEST)


def test_a_revision_that_serves_keeps_its_series_whatever_is_refused() -> None:
    """Handles are made for revisions that never serve; they push nobody out, and nobody is lost for ever."""
    metrics = Metrics(lambda: [])
    serving = metrics.invocation("echo", DIGEST)
    serving.observe("ok", 1, False)
    refused = [metrics.invocation("echo", f"sha256:{number:012}{number:052}") for number in range(5)]
    assert samples(metrics)["edgefn_invocations_total", "echo", "ok", "0123456789ab"] == 1
    for number, handle in enumerate(refused):
        handle.observe("ok", number, False)
    serving.observe("ok", 1, False)
    assert samples(metrics)["edgefn_invocations_total", "echo", "ok", "0123456789ab"] == 1


def test_the_phases_of_a_start_are_a_histogram() -> None:
    """One series per phase, whatever phases a start has."""
    metrics = Metrics(lambda: [])
    metrics.cold_start("echo", "fork", 0.0012)
    metrics.cold_start("echo", "session", 0.02)
    found = samples(metrics)
    assert found["edgefn_cold_start_seconds_count", "echo", "fork"] == 1
    assert found["edgefn_cold_start_seconds_sum", "echo", "session"] == 0.02


def test_gauges_are_read_at_the_scrape() -> None:
    """Queue, instances, state and memory are what the supervisor says at that moment."""
    statuses = [SERVING, FAILED]
    metrics = Metrics(lambda: statuses, version="1.2.3", log_lines_dropped=lambda: 5)
    found = samples(metrics)
    assert found["edgefn_queue_depth", "echo"] == 3
    assert found["edgefn_instances", "echo", "ready"] == 2
    assert found["edgefn_instances", "echo", "draining"] == 0
    assert found["edgefn_function_state", "echo", "serving"] == 1
    assert found["edgefn_function_state", "broken", "failed"] == 1
    assert found["edgefn_private_memory_bytes", "echo", "instance"] == 1500
    assert found["edgefn_private_memory_bytes", "echo", "template"] == 7000
    assert found["edgefn_log_lines_dropped_total",] == 5
    assert found["edgefn_output_lines_dropped_total", "echo"] == 70
    assert found["edgefn_output_bytes_dropped_total", "echo"] == 700
    assert found["edgefn_output_lines_dropped_total", "broken"] == 0
    assert found["edgefn_box_info", "1.2.3"] == 1
    assert found["process_resident_memory_bytes",] > 0
    statuses.clear()
    assert ("edgefn_queue_depth", "echo") not in samples(metrics)


def test_a_removed_function_leaves_no_series() -> None:
    """Nothing names it after its removal, even when a request that drained is still counted."""
    metrics = Metrics(lambda: [])
    metrics.invocation("other").observe("ok", 1, False)
    handle = metrics.invocation("echo", DIGEST)
    metrics.cold_start("echo", "fork", 0.1)
    metrics.remove("echo")
    metrics.remove("echo")
    handle.observe("ok", 1, True)
    found = samples(metrics)
    assert not [key for key in found if "echo" in key]
    assert found["edgefn_invocations_total", "other", "ok", ""] == 1
    metrics.invocation("echo", DIGEST).observe("ok", 1, False)
    assert samples(metrics)["edgefn_invocations_total", "echo", "ok", "0123456789ab"] == 1


def test_a_thousand_revisions_do_not_fill_the_scrape() -> None:
    """`edgefn dev` makes a revision at each save; the newest two keep their series."""
    metrics = Metrics(lambda: [])
    for number in range(1000):
        digest = f"sha256:{number:012}{number:052}"
        metrics.invocation("echo", digest).observe("ok", 1, False)
    revisions = {key[3] for key in samples(metrics) if key[0] == "edgefn_invocations_total"}
    assert revisions == {"000000000998", "000000000999"}


def test_openmetrics_where_it_is_asked_for() -> None:
    """The scraper says what it reads; both forms parse, and neither has `_created` series."""
    metrics = Metrics(lambda: [SERVING])
    metrics.invocation("echo").observe("ok", 0.1, False)
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    content_type, body = metrics.render(accept)
    assert content_type.startswith("application/openmetrics-text")
    families = parse_openmetrics(body.decode())  # type: ignore[no-untyped-call]
    assert "edgefn_invocations" in {family.name for family in families}
    assert metrics.render()[0].startswith("text/plain")
    assert b"_created" not in body + metrics.render()[1]


def test_many_who_ask_at_once_are_answered_by_one_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    """No two are encoded beside each other, each is of after it was asked for, and nothing of it is kept."""
    metrics, encode = Metrics(lambda: []), exposition.encode
    handle = metrics.invocation("echo", DIGEST)
    begun, may_end, running = threading.Semaphore(0), threading.Semaphore(0), 0

    def slow(registry: Collector, accept: str) -> tuple[bytes, float]:
        nonlocal running
        running += 1
        begun.release()
        assert running == 1
        assert may_end.acquire(timeout=10)
        found = encode(registry, accept)
        running -= 1
        return found

    monkeypatch.setattr(exposition, "encode", slow)

    async def main() -> None:
        first = asyncio.create_task(metrics.scrape())
        await asyncio.to_thread(begun.acquire)
        handle.observe("ok", 0.001, False)
        others = [asyncio.create_task(metrics.scrape()) for _ in range(20)]
        left = asyncio.create_task(metrics.scrape())
        await asyncio.sleep(0.01)
        left.cancel()
        may_end.release(2)
        await first
        bodies = {body for _, body in await asyncio.wait_for(asyncio.gather(*others), 10)}
        assert len(bodies) == 1
        assert b'outcome="ok",revision="0123456789ab"} 1.0' in bodies.pop()
        assert not may_end.acquire(blocking=False), "each of them was encoded"
        assert not metrics._shared

    asyncio.run(main())


def test_who_scrapes_without_end_has_a_share_of_the_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rest after each scrape, for which the next one waits; it is of after it was asked for."""
    metrics, encode = Metrics(lambda: []), exposition.encode
    spent = 0.0

    def measured(registry: Collector, accept: str) -> tuple[bytes, float]:
        nonlocal spent
        text, seconds = encode(registry, accept)
        spent += seconds + 0.005
        return text, seconds + 0.005

    monkeypatch.setattr(exposition, "encode", measured)

    async def main() -> None:
        began = time.monotonic()
        for number in range(3):
            metrics.invocation("echo", DIGEST).observe("ok", 0.001, False)
            _, body = await metrics.scrape()
            assert f'outcome="ok",revision="0123456789ab"}} {number + 1}.0'.encode() in body
        assert spent < 0.05 * (time.monotonic() - began)

    asyncio.run(main())


def test_a_process_is_measured_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel walks all of its pages: a new process at once, one that is known after FOOTPRINT_S."""
    now, asked = 1000.0, list[int]()
    instances = [{"pid": 2, "state": "ready"}]
    statuses = [{"name": "echo", "state": "serving", "template": {"pid": 1}, "instances": instances}]

    def footprint(pid: int) -> Footprint:
        asked.append(pid)
        return Footprint(int(now) + pid, 0)

    monkeypatch.setattr(scrape, "footprint", footprint)
    monkeypatch.setattr("edgefn_runtime.telemetry.scrape.time.monotonic", lambda: now)
    metrics = Metrics(lambda: statuses)

    def told() -> list[float]:
        found = samples(metrics)
        return [found["edgefn_private_memory_bytes", "echo", one] for one in ("template", "instance")]

    assert told() == [1001, 1002]
    now += scrape.FOOTPRINT_S / 2
    instances.append({"pid": 3, "state": "starting"})
    assert told() == [1001, 1002 + 1008]
    now += scrape.FOOTPRINT_S / 2
    assert told() == [1011, 1012 + 1008]
    assert asked == [1, 2, 3, 1, 2]
