"""Starting on demand: cold and warm, one start for all who wait, out under load, back to zero."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.box import Json, RunningBox, timings, was_cold
from tests.e2e.bundles import TINY, Bundles
from tests.e2e.deadline import eventually
from tests.e2e.processes import anonymous_bytes

Deployed = Callable[[str], RunningBox]
SLOW = (TINY / "slow" / "slow.py").read_text(encoding="utf-8")
PHASES = {"queue", "start", "decode", "run", "encode"}


TRIES = 5


def test_every_answer_says_where_the_time_went(deployed: Deployed) -> None:
    """Server-Timing names the five phases; the first request after a stop is cold, the next one warm."""
    box = deployed("slow")
    box.stop_function("slow")
    cold, warm = (box.invoke("slow", seconds=0.02) for _ in range(2))
    assert (was_cold(cold), was_cold(warm)) == (True, False)
    for answer in (cold, warm):
        assert set(timings(answer)) == PHASES
        assert timings(answer)["run"] >= 20
    assert timings(cold)["start"] > 0
    assert timings(warm)["start"] == 0


def test_one_start_serves_all_who_wait(deployed: Deployed) -> None:
    """Requests that come while the only instance starts wait for it and are all answered by it."""
    box = deployed("narrow")
    for _ in range(TRIES):  # on a busy machine the second may come when the instance is there
        box.stop_function("narrow")
        before = box.status("narrow").cold_starts
        with ThreadPoolExecutor(2) as callers:
            answers = list(callers.map(lambda _: box.invoke("narrow", seconds=0), range(2)))
        assert [answer.status_code for answer in answers] == [200, 200]
        if all(map(was_cold, answers)):
            break
    assert all(map(was_cold, answers))
    assert len(box.status("narrow").instances) == 1
    assert box.status("narrow").cold_starts >= before + 1


def test_scale_out_while_requests_wait(deployed: Deployed) -> None:
    """Six slow requests at once are served by more than one and at most scale[1] = 3 processes."""
    box = deployed("slow")
    with ThreadPoolExecutor(6) as callers:
        pids = set(callers.map(lambda _: box.call("slow", seconds=0.4), range(6)))
    assert 1 < len(pids) <= 3
    assert len(box.status("slow").instances) <= 3


def test_back_to_zero_when_idle(deployed: Deployed) -> None:
    """After `idle` without a request no instance is left; the next request starts a new one, cold."""
    box = deployed("brief")
    first = box.call("brief")
    box.until("brief has no instance", "brief", lambda status: not status.instances)
    answer = box.invoke("brief")
    assert was_cold(answer)
    assert answer.json() != first


def test_stop_leaves_no_process(deployed: Deployed) -> None:
    """After a stop the function has no process at all, and the next request is answered as before."""
    box = deployed("slow")
    pid = box.call("slow", seconds=0)
    status = box.stop_function("slow")
    assert (status.state, status.instances, status.template) == ("idle", [], None)
    assert pid not in box.pids()
    assert box.call("slow", seconds=0) != pid


def test_metrics_and_status_never_wake(deployed: Deployed) -> None:
    """Status, list, metrics, health and the OpenAPI document start no process."""
    box = deployed("slow")
    box.stop_function("slow")
    box.status("slow"), box.functions(), box.logs("slow")
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json"):
        assert box.http.get(path).status_code == 200, path
    assert box.status("slow").state == "idle"


@pytest.mark.parametrize("what", ["stop", "remove", "deploy"])
def test_unload_while_request_in_flight_waits(new_box: Callable[[], RunningBox], bundles: Bundles, what: str) -> None:
    """Stopped, removed or replaced while a request runs: the instance that has it answers, and then ends."""
    box = new_box()
    box.deploy(bundles.of("slow"))
    another = bundles.with_code("slow", f"{SLOW}\n# another\n", title=f"slow-while-{what}")
    unload: dict[str, Callable[[], object]] = {
        "stop": lambda: box.stop_function("slow"),
        "remove": lambda: box.admin("DELETE", "functions/slow").raise_for_status(),
        "deploy": lambda: box.deploy(another),
    }
    pid = box.call("slow", seconds=0)
    who = box.invoke("slow", seconds=0).json()
    with ThreadPoolExecutor(2) as callers:
        running = callers.submit(box.invoke, "slow", seconds=1.5)
        box.until("it runs", "slow", lambda status: any(one.in_flight for one in status.instances))
        unloading = callers.submit(unload[what])
        assert running.result().json() == who
        unloading.result()
    eventually("its process has ended", lambda: pid not in box.pids())
    assert box.invoke("slow", seconds=0).status_code == (404 if what == "remove" else 200)


def test_ready_stays_true_while_another_function_loads(new_box: Callable[[], RunningBox], bundles: Bundles) -> None:
    """A deployment whose handler takes two seconds to import: the box says ready all the time, and the others serve."""
    box = new_box()
    box.deploy(bundles.of("brief"))
    late = bundles.with_code("slow", f"import time\n\ntime.sleep(2)\n{SLOW}", title="slow-to-load")
    looks = 0
    with ThreadPoolExecutor(1) as deployer:
        loading = deployer.submit(box.deploy, late)
        while not loading.done():
            assert box.http.get("/readyz").status_code == 200
            assert box.call("brief") > 0
            looks += 1
    assert loading.result().function == "slow"
    assert looks > 3
    assert box.call("slow", seconds=0) > 0


def test_load_unload_1000x_rss_flat(new_box: Callable[[], RunningBox], bundles: Bundles) -> None:
    """Started and stopped again and again, a function leaves nothing behind in the box process and the zygote.

    Ninety times here; `python -m benchmarks.soak` and the memory benchmark do it for long. Counted is what each of the
    two has, not its share of it: the zygote shares nearly all with a spare child that may just be forked or gone.
    """
    box = new_box()
    box.deploy(bundles.of("brief"))

    def after(cycles: int) -> int:
        for _ in range(cycles):
            box.call("brief")
            box.stop_function("brief")
        return anonymous_bytes(box.pid) + anonymous_bytes(box.zygote().pid)

    before = after(30)
    assert after(60) - before < 2 * 2**20, "30 kB a cycle would be a leak"
    eventually("only the box, its zygote and the spare child are left", lambda: len(box.pids()) == 3)


def test_many_functions_at_once(new_box: Callable[[], RunningBox], bundles: Bundles) -> None:
    """Eight functions deployed to one box, all started by requests that come at the same time, all answer right."""
    asked: dict[str, Json] = {
        "slow": {"seconds": 0.1},
        "narrow": {"seconds": 0.1},
        "brief": {},
        "speaks": {"text": "hello"},
        "hangs": {"forever": False},
        "leaves": {"how": "not at all"},
        "hungry": {"mebibytes": 1},
        "linear": {"x": [1, 2, 3, 4]},
    }
    box = new_box()
    for name in asked:
        box.deploy(bundles.of(name))
    with ThreadPoolExecutor(4 * len(asked)) as callers:
        runs = [(name, callers.submit(box.invoke, name, **asked[name])) for name in list(asked) * 2]
    answers = [(name, run.result()) for name, run in runs]
    assert {name: answer.text for name, answer in answers if answer.status_code != 200} == {}
    assert all(answer.json() == [3, 5, 7, 9] for name, answer in answers if name == "linear")
    assert len(box.functions()) == len(asked)
