"""Handlers that raise, hang, leave, or eat memory: each is told to its caller, and nobody else is harmed."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from edgefn_runtime.scheduling.crashes import LIMIT
from tests.e2e.box import RunningBox
from tests.e2e.deadline import eventually

Deployed = Callable[[str], RunningBox]


def test_a_handler_that_raises(deployed: Deployed) -> None:
    """500 with an id; the trace is in the log under that id, and not a word of it in the answer."""
    box = deployed("raises")
    answer = box.invoke("raises", word="xyzzy")
    problem = answer.json()
    assert answer.status_code == problem["status"] == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "xyzzy" not in answer.text
    assert "Traceback" not in answer.text
    log = box.logs("raises")
    assert problem["id"] in log
    assert "ValueError: the secret word is xyzzy" in log
    assert "raises.py" in log


def test_a_raise_does_not_cost_the_instance(deployed: Deployed) -> None:
    """The process that raised serves the next request: no cold start after a bug."""
    box = deployed("raises")
    box.invoke("raises", word="once")
    before = [instance.pid for instance in box.status("raises").instances]
    box.invoke("raises", word="twice")
    assert [instance.pid for instance in box.status("raises").instances] == before


def test_a_handler_that_hangs(deployed: Deployed) -> None:
    """504 at the timeout; the instance is replaced, and the next request is answered."""
    box = deployed("hangs")
    pid = box.call("hangs", forever=False)
    answer = box.invoke("hangs", forever=True)
    assert answer.status_code == 504, answer.text
    assert answer.elapsed.total_seconds() < 3
    assert box.call("hangs", forever=False) != pid
    box.until(
        "the hanging process is gone",
        "hangs",
        lambda status: pid not in [instance.pid for instance in status.instances],
    )
    assert pid not in box.pids()


@pytest.mark.parametrize("how", ["sys.exit", "os._exit", "segfault"])
def test_a_handler_that_ends_its_process(deployed: Deployed, how: str) -> None:
    """502 or 500, never a hang; another function is not touched, and the next request is answered."""
    box = deployed("leaves")
    deployed("slow")
    neighbour = box.call("slow", seconds=0)
    answer = box.invoke("leaves", how=how)
    assert answer.status_code in (500, 502), answer.text
    assert answer.json()["title"]
    assert box.call("leaves", how="not at all")
    assert box.call("slow", seconds=0) == neighbour


def test_a_handler_that_ends_its_process_in_every_request(deployed: Deployed) -> None:
    """Left alone after a few: 503 at once with the reason, `failed` in its status; others serve, and it recovers."""
    box = deployed("leaves")
    deployed("slow")
    neighbour = box.call("slow", seconds=0)
    for _ in range(LIMIT):
        assert box.invoke("leaves", how="segfault").status_code == 502
        assert box.call("slow", seconds=0) == neighbour
    (refused,) = eventually("it is refused", lambda: refusals(box, "segfault"))
    status = box.status("leaves")
    assert int(refused.headers["retry-after"]) >= 1
    assert refused.headers["content-type"] == "application/problem+json"
    assert "times in a row while serving" in refused.json()["detail"]
    assert (status.state, status.instances) == ("failed", [])
    assert (status.retry_after_s or 0) >= 1
    assert "killed by SIGSEGV" in status.reason
    assert box.call("slow", seconds=0) == neighbour
    eventually("it is let in again", lambda: box.invoke("leaves", how="not at all").status_code == 200)
    assert box.status("leaves").state == "serving"
    assert f"ended {LIMIT} times in a row" in box.logs("leaves")


def refusals(box: RunningBox, how: str) -> list[httpx.Response]:
    """What a caller is told once `leaves` is left alone: a request that comes after a pause kills one more instance."""
    answer = box.invoke("leaves", how=how)
    return [answer] if answer.status_code == 503 else []


def test_a_handler_that_eats_memory(deployed: Deployed) -> None:
    """More than `memory` is refused to that handler alone: 500 or 502 at once, and it serves the next request."""
    box = deployed("hungry")
    assert box.call("hungry", mebibytes=8) == 8 * 2**20
    answer = box.invoke("hungry", mebibytes=2048)
    assert answer.status_code in (500, 502), answer.text
    assert box.call("hungry", mebibytes=8) == 8 * 2**20


def test_what_a_handler_prints_is_in_its_log(deployed: Deployed) -> None:
    """Both streams of a handler come out of `edgefn logs`, and not in the log of another function."""
    box = deployed("speaks")
    box.call("speaks", text="knock knock")
    box.until("both lines are in the log", "speaks", lambda _: box.logs("speaks").count("knock knock") == 2)
    assert "out: knock knock" in box.logs("speaks")
    assert "err: knock knock" in box.logs("speaks")
    deployed("slow")
    assert "knock" not in box.logs("slow")
