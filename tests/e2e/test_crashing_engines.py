"""An engine that crashes on a real box, at each moment of its life: the next artifact serves, and the box says why."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgefn.api.functions import FunctionStatus
from edgefn_runtime.scheduling.failover import FALL_OVER
from tests.e2e import engines
from tests.e2e.box import RunningBox
from tests.e2e.clients import Asked, Clients

pytestmark = pytest.mark.timeout(120)

SWIFT, PORTABLE = engines.SWIFT, engines.PORTABLE
MAX_INSTANCES = 2


@pytest.fixture
def deployed(tmp_path: Path, library: engines.Library) -> Iterator[Callable[[str], RunningBox]]:
    """`deployed(moments)` is a box with the function and all done that is done behind it; the engine ends at them."""
    with RunningBox(tmp_path / "box", before=library.before) as box:

        def deploy(aborts: str = "") -> RunningBox:
            library.abort_at(aborts)
            box.deploy(engines.bundle(tmp_path / "bundle", scale=(0, MAX_INSTANCES)))
            box.until("nothing is on its way", engines.NAME, lambda status: not status.finishing)
            return box

        yield deploy


def _targets(status: FunctionStatus) -> list[str]:
    return [one.target for one in status.artifacts]


def _says_why(box: RunningBox, *words: str) -> None:
    """Status, explain and the log name the artifact that broke, each with `words`."""
    box.until("the portable artifact serves", engines.NAME, lambda status: _targets(status) == [PORTABLE.target])
    (broken,) = box.status(engines.NAME).broken
    assert broken.artifact == f"{SWIFT.model} {SWIFT.target}"
    links = {one.target: one for one in box.explain(engines.NAME).artifacts}
    assert {name: one.state for name, one in links.items()} == {SWIFT.target: "broken", PORTABLE.target: "serving"}
    log = box.logs(engines.NAME)
    for word in words:
        assert word in broken.reason
        assert word in links[SWIFT.target].reason
        assert word in log


def test_as_it_is_finished(deployed: Callable[[str], RunningBox]) -> None:
    """It takes its own process down and no other: the function is live. The box's log has the engine's last words."""
    box = deployed("finish")
    assert box.call(engines.NAME, n=21) == 42
    _says_why(box, "SIGABRT")
    assert "Fatal Python error: Aborted" in box.words()


def test_as_it_loads(deployed: Callable[[str], RunningBox], library: engines.Library) -> None:
    """It passed, and crashes at the next start: who waits for that start is served by the next artifact."""
    box = deployed("")
    box.stop_function(engines.NAME)
    library.abort_at("load")
    assert box.call(engines.NAME, n=21) == 42
    _says_why(box, "SIGABRT")


def test_as_it_serves(deployed: Callable[[str], RunningBox], library: engines.Library) -> None:
    """Each crash costs the request that was in it; then the next artifact serves, and still does after a restart."""
    box = deployed("")
    library.abort_at("run")
    answers = [box.invoke(engines.NAME, n=21) for _ in range(FALL_OVER + 2)]
    assert [one.status_code for one in answers] == [502] * FALL_OVER + [200] * 2
    assert all("SIGABRT" in one.json()["detail"] for one in answers[:FALL_OVER])
    assert answers[-1].json() == 42
    _says_why(box, "SIGABRT", f"{FALL_OVER} times in a row")
    box.stop()
    box.start()
    assert box.call(engines.NAME, n=4) == 8
    _says_why(box, "SIGABRT")


def test_under_load(deployed: Callable[[str], RunningBox], library: engines.Library) -> None:
    """Of a crowd's requests those are lost that an instance died of, one each; all others wait and are answered."""
    box = deployed("")
    clients = Clients(box, _ask)
    before = clients.run(0.3)
    library.abort_at("run")
    found = [*before, *clients.run(1.0)]
    lost = [one for one in found if one.status != 200]
    assert {one.status for one in lost} == {502}, lost[:3]
    assert FALL_OVER <= len(lost) < FALL_OVER + MAX_INSTANCES, lost
    assert all(one.right for one in found)
    _says_why(box, "SIGABRT")


def _ask(number: int) -> Asked:
    return Asked(number, engines.NAME, json.dumps({"n": number}).encode(), "application/json", 2 * number)
