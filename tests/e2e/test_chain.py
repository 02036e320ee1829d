"""The chain of artifacts on a real box: the fastest right one serves, and the next one when its library has gone."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edgefn.api.functions import FunctionStatus
from tests.e2e import engines
from tests.e2e.box import RunningBox
from tests.e2e.clients import Asked, Clients
from tests.e2e.deadline import eventually

pytestmark = pytest.mark.timeout(120)

SWIFT, PORTABLE = engines.SWIFT.target, engines.PORTABLE.target


@pytest.fixture
def box(tmp_path: Path, library: engines.Library) -> Iterator[RunningBox]:
    """A box that has the library, with the function on it, served by the library's artifact."""
    with RunningBox(tmp_path / "box", before=library.before) as box:
        box.deploy(engines.bundle(tmp_path / "bundle"))
        eventually("the faster artifact serves", lambda: "it serves now" in box.logs(engines.NAME), seconds=60)
        yield box


def _serves(target: str) -> Callable[[FunctionStatus], bool]:
    return lambda status: [one.target for one in status.artifacts] == [target]


def _states(box: RunningBox) -> dict[str, str]:
    return {one.target: one.state for one in box.explain(engines.NAME).artifacts}


def _ask(number: int) -> Asked:
    return Asked(number, engines.NAME, json.dumps({"n": number}).encode(), "application/json", 2 * number)


def test_the_fastest_right_artifact_serves_and_explain_says_why(box: RunningBox) -> None:
    """Both were proved and timed on this box; the faster one is first, and answers as the other would."""
    assert _states(box) == {SWIFT: "serving", PORTABLE: "ready"}
    assert box.call(engines.NAME, n=21) == 42


def test_its_library_deleted_while_nothing_runs(box: RunningBox, library: engines.Library) -> None:
    """The next call finds it gone, is served by the next artifact all the same, and explain names the reason."""
    box.stop_function(engines.NAME)
    library.delete()
    assert box.call(engines.NAME, n=21) == 42
    box.until("the portable artifact serves", engines.NAME, _serves(PORTABLE))
    assert _states(box)[SWIFT] in ("broken", "refused")
    assert SWIFT in box.logs(engines.NAME)


def test_its_library_deleted_under_load(box: RunningBox, library: engines.Library) -> None:
    """Clients go on asking while the library goes and the box needs new instances: none of them is told an error."""
    clients = Clients(box, _ask)
    before = clients.run(1.0)
    library.delete()
    os.kill(box.template_of(engines.NAME), signal.SIGKILL)  # it would fork what it had loaded before
    after = clients.run(4.0)
    assert {(one.status, one.right) for one in (*before, *after)} == {(200, True)}, [
        one for one in (*before, *after) if one.status != 200
    ][:3]
