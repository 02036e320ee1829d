"""What wrk prints, read."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import wrk
from benchmarks.stage import Body

TOLD = """Running 2s test @ http://127.0.0.1:8080/fn/echo
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.03ms    1.10ms  27.68ms   95.95%
    Req/Sec     8.14k   810.05     9.43k    80.00%
  Latency Distribution
     50%    1.86ms
     75%    2.19ms
     90%    2.66ms
     99%    {late}
  16283 requests in 2.01s, 3.79MB read
{more}Requests/sec:   8099.94
Transfer/sec:      1.89MB
"""


@pytest.mark.parametrize(("late", "ms"), [("950.00us", 0.95), ("5.83ms", 5.83), ("1.20s", 1200.0), ("1.50m", 90_000.0)])
def test_the_figures_are_read_in_any_unit(late: str, ms: float) -> None:
    """Requests, rate, and the 99th centile in ms."""
    told = wrk.read(TOLD.format(late=late, more=""))
    assert (told.requests, told.rate) == (16283, 8099.94)
    assert told.p99_ms == pytest.approx(ms)


@pytest.mark.parametrize(
    "more",
    [
        "  Non-2xx or 3xx responses: 3\n",
        "  Socket errors: connect 0, read 4, write 0, timeout 0\n",
    ],
)
def test_a_run_with_failures_is_no_measurement(more: str) -> None:
    """It is an error with wrk's own words."""
    with pytest.raises(RuntimeError, match="saw failures"):
        wrk.read(TOLD.format(late="5.83ms", more=more))


def test_words_without_figures_are_an_error() -> None:
    """Whatever else it prints."""
    with pytest.raises(RuntimeError, match="no figures"):
        wrk.read("unable to connect to 127.0.0.1:8080 Connection refused\n")


def test_the_script_sends_the_body_as_it_is(tmp_path: Path) -> None:
    """Bytes of any kind, from a file beside the script; its type in the header."""
    body = Body(bytes(range(256)), "application/octet-stream")
    script = wrk.script(tmp_path, body)
    assert script.with_suffix(".body").read_bytes() == body.data
    assert str(script.with_suffix(".body")) in script.read_text()
    assert body.content_type in script.read_text()
