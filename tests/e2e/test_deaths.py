"""What dies and what survives: instances, templates, the zygote and the box, killed or asked to leave."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import msgspec
import psutil

from tests.e2e.box import Json, RunningBox
from tests.e2e.bundles import Bundles
from tests.e2e.deadline import eventually
from tests.e2e.processes import all_gone, descendants, kill9

NewBox = Callable[[], RunningBox]
Deployed = Callable[[str], RunningBox]


def in_flight(box: RunningBox, name: str) -> bool:
    return any(instance.in_flight for instance in box.status(name).instances)


def test_kill9_of_an_idle_instance(deployed: Deployed) -> None:
    """The next request is answered by another process, without an error in between."""
    box = deployed("slow")
    first = box.call("slow", seconds=0)
    kill9(first)
    assert box.call("slow", seconds=0) != first


def test_kill9_of_a_busy_instance(deployed: Deployed) -> None:
    """Only the request that it held is lost (502), and the log says how it ended."""
    box = deployed("slow")
    box.stop_function("slow")
    with ThreadPoolExecutor(1) as caller:
        lost = caller.submit(box.invoke, "slow", seconds=15)
        status = box.until("the request runs", "slow", lambda status: any(one.in_flight for one in status.instances))
        kill9(next(one.pid for one in status.instances if one.in_flight))
        answer = lost.result()
    assert answer.status_code == 502, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] in box.logs("slow")
    assert box.call("slow", seconds=0)


def test_kill9_of_a_template(deployed: Deployed) -> None:
    """Its instances go on serving; when more are needed, a new template is made."""
    box = deployed("brief")
    box.call("brief")
    template = box.template_of("brief")
    pid = box.call("brief")
    kill9(template)
    assert box.call("brief") == pid
    box.until("brief has no instance", "brief", lambda status: not status.instances)
    assert box.call("brief") not in (pid, template)


def test_kill9_of_the_zygote(new_box: NewBox, bundles: Bundles) -> None:
    """What serves goes on serving; the zygote is replaced, and then functions start again."""
    box = new_box()
    box.deploy(bundles.of("slow"))
    pid = box.call("slow", seconds=0)
    zygote = box.zygote().pid
    kill9(zygote)
    assert box.call("slow", seconds=0) == pid
    box.stop_function("slow")
    assert box.call("slow", seconds=0) not in (pid, zygote)
    assert box.zygote().pid != zygote


ASKED: dict[str, Json] = {
    "linear": {"x": [1, 2, 3, 4]},
    "slow": {"seconds": 0},
    "brief": {},
    "witness": {"n": 1},
}


def test_power_cut_offline_all_functions_back(new_box: NewBox, bundles: Bundles) -> None:
    """Killed with all that it runs and started again at once, it answers for every function within 2 s, from its disk.

    2 s are for a machine that does nothing else: on a busy one, four times what the start of an empty box takes there.
    """
    began = time.monotonic()
    new_box()
    empty_s = time.monotonic() - began
    box = new_box()
    revisions = {name: box.deploy(bundles.of(name)).revision for name in ASKED}
    for name, arguments in ASKED.items():
        box.call(name, **arguments)
    box.kill9()
    began = time.monotonic()
    box.start()
    answers = {name: box.call(name, **arguments) for name, arguments in ASKED.items()}
    back_s = time.monotonic() - began
    assert (answers["linear"], answers["witness"]) == ([3, 5, 7, 9], {"n": 2})
    assert {name: box.status(name).revision for name in ASKED} == revisions
    assert all(end.raddr.ip == "127.0.0.1" for end in psutil.Process(box.pid).net_connections("inet") if end.raddr)
    assert back_s < max(2.0, 4 * empty_s), f"{back_s:.2f} s; an empty box starts in {empty_s:.2f} s"


def test_no_orphan_workers_after_supervisor_kill9(new_box: NewBox, bundles: Bundles) -> None:
    """Zygote, templates and an instance in the middle of a long call do not outlive their box."""
    box = new_box()
    box.deploy(bundles.of("slow"))
    with ThreadPoolExecutor(1) as caller:
        lost = caller.submit(box.invoke, "slow", seconds=15)
        eventually("the request runs", lambda: in_flight(box, "slow"))
        box.kill9()
    assert lost.exception() is not None


def test_sigterm_drains(new_box: NewBox, bundles: Bundles) -> None:
    """A request that runs when the box is asked to leave is answered; then the box leaves with 0 and no orphans."""
    box = new_box()
    box.deploy(bundles.of("slow"))
    box.call("slow", seconds=0)
    with ThreadPoolExecutor(1) as caller:
        running = caller.submit(box.invoke, "slow", seconds=1.5)
        eventually("the request runs", lambda: in_flight(box, "slow"))
        below = descendants(box.pid)
        box.ask_to_leave()
        answer = running.result()
    assert answer.status_code == 200, answer.text
    assert box.wait() == 0, box.words()
    all_gone(below)


def test_what_was_deployed_serves_after_a_restart(new_box: NewBox, bundles: Bundles) -> None:
    """Functions, revisions, numbers and history are the same after a clean restart, whatever became of the cache."""
    box = new_box()
    for name in ("brief", "linear"):
        box.deploy(bundles.of(name))
    before = known(box)
    box.stop()
    box.start()
    assert known(box) == before
    assert box.call("linear", x=[1, 2, 3, 4]) == [3, 5, 7, 9]
    assert isinstance(box.call("brief"), int)


def test_finished_artifacts_may_be_deleted(new_box: NewBox, bundles: Bundles) -> None:
    """`finished/` is a cache: without it the box makes it anew at its start, and serves."""
    box = new_box()
    box.deploy(bundles.of("linear"))
    box.stop()
    for path in sorted((box.home / "finished").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    box.start()
    assert box.call("linear", x=[1, 2, 3, 4]) == [3, 5, 7, 9]


def known(box: RunningBox) -> str:
    """What the box knows of its functions, without what changes from moment to moment."""
    known = [(one.name, one.revision, one.number, one.history, one.deployed_at, one.spec) for one in box.functions()]
    return msgspec.json.encode(known, order="sorted").decode()
