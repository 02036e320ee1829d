"""A box that starts with another version of an engine: it serves at once and finishes anew behind that."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn.api.functions import FunctionStatus
from tests.e2e import engines
from tests.e2e.box import RunningBox
from tests.e2e.clients import Asked, Clients
from tests.e2e.deadline import eventually

pytestmark = pytest.mark.timeout(120)

SWIFT, PORTABLE = engines.SWIFT.target, engines.PORTABLE.target
CHANGED = "the box has changed: swift 1.0 → 2.0"


@pytest.fixture
def box(tmp_path: Path, library: engines.Library) -> Iterator[RunningBox]:
    """A box with the library, served by its artifact."""
    with RunningBox(tmp_path / "box", before=library.before) as box:
        box.deploy(engines.bundle(tmp_path / "bundle"))
        box.until("the faster artifact serves", engines.NAME, lambda status: _serves(status, SWIFT))
        yield box


def _serves(status: FunctionStatus, target: str) -> bool:
    return [one.target for one in status.artifacts] == [target] and not status.finishing


def _is_on_its_way(status: FunctionStatus) -> bool:
    return bool(status.finishing and status.finishing.artifact)


def _folders(box: RunningBox) -> set[str]:
    return {path.name for path in (box.home / "finished").iterdir() if path.is_dir()}


def test_another_version_of_an_engine(box: RunningBox, library: engines.Library) -> None:
    """No client waits for the engine or is told an error while it finishes anew; status says what has changed."""
    before = _folders(box)
    box.stop()
    library.become("2.0")
    library.hold_at("finish")
    box.start()
    clients = Clients(box, _ask, crowd=4)
    meanwhile = clients.run(0.3)
    status = box.until("its artifact is on its way", engines.NAME, _is_on_its_way)
    assert status.finishing
    assert status.finishing.artifact == f"{engines.SWIFT.model} {SWIFT}"
    assert [one.target for one in status.artifacts] == [PORTABLE]
    assert status.changed == CHANGED
    library.hold_at("")
    meanwhile += clients.run(1.0)
    assert {(one.status, one.right) for one in meanwhile} == {(200, True)}, [
        one for one in meanwhile if one.status != 200
    ][:3]
    box.until("the faster artifact serves", engines.NAME, lambda status: _serves(status, SWIFT))
    eventually("what was for the version before is gone", lambda: not _folders(box) & before)
    assert len(_folders(box)) == 1
    assert box.words().count("the box has changed (swift 1.0 → 2.0)") == 1


def _ask(number: int) -> Asked:
    return Asked(number, engines.NAME, json.dumps({"n": number}).encode(), "application/json", 2 * number)
