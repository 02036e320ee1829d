"""On a real box: what the handler answers with an artifact, asked of a confined instance before it serves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edgefn.api.artifacts import ArtifactStatus
from tests.e2e import engines
from tests.e2e.box import Refused, RunningBox

pytestmark = pytest.mark.timeout(120)

NAME, SWIFT, PORTABLE = engines.NAME, engines.SWIFT.target, engines.PORTABLE.target
RIGHT = {1: 2, 100000: 200000}
"""Eager's answers: the second one is another when the numbers are off by 0.0005 %."""


@pytest.fixture
def alone(tmp_path: Path, library: engines.Library) -> Iterator[RunningBox]:
    """A box on which the engine of the tests is installed, and nothing is deployed."""
    with RunningBox(tmp_path / "box", before=library.before) as box:
        yield box


def _settled(box: RunningBox) -> dict[str, ArtifactStatus]:
    """What the box explains once nothing is on its way."""
    box.until("nothing is on its way", NAME, lambda status: not status.finishing)
    return {one.target: one for one in box.explain(NAME).artifacts}


def test_artifacts_that_answer_as_eager_does_serve(alone: RunningBox, tmp_path: Path) -> None:
    """Both are asked, the faster one takes over, explain has the counts, and no request was counted for it."""
    alone.deploy(engines.bundle(tmp_path / "bundle", answers=RIGHT))
    links = _settled(alone)
    alone.until("the faster one serves", NAME, lambda status: [one.target for one in status.artifacts] == [SWIFT])
    links = _settled(alone)
    assert {name: link.state for name, link in links.items()} == {SWIFT: "serving", PORTABLE: "ready"}
    assert {link.answers for link in links.values()} == {"2 of 2 (shows at least 0.22)"}
    status = alone.status(NAME)
    assert (status.requests, status.cold_starts, status.errors) == (0, 0, 0)
    assert alone.call(NAME, n=21) == 42


def test_an_engine_that_lies_within_its_bound_is_left(
    alone: RunningBox, tmp_path: Path, library: engines.Library
) -> None:
    """Its numbers pass, its rounded answer is another one: it never serves, and the box shows the pair."""
    library.compute_nearly()
    alone.deploy(engines.bundle(tmp_path / "bundle", answers=RIGHT))
    links = _settled(alone)
    assert {name: link.state for name, link in links.items()} == {SWIFT: "broken", PORTABLE: "serving"}
    reason = links[SWIFT].reason
    assert "its answers differ from eager PyTorch's here: answers 1 of 2" in reason
    assert "100000.json: 200001 instead of 200000" in reason
    assert reason in alone.logs(NAME)
    assert (links[SWIFT].error or 1) < (links[SWIFT].error_limit or 0)
    assert alone.call(NAME, n=100000) == 200000
    (broken,) = alone.status(NAME).broken
    assert broken.reason == reason


def test_a_revision_whose_last_artifact_answers_otherwise_is_refused(alone: RunningBox, tmp_path: Path) -> None:
    """The portable artifact answers otherwise than eager did: what served before goes on, with the pair told."""
    alone.deploy(engines.bundle(tmp_path / "right", answers=RIGHT))
    with pytest.raises(Refused) as refused:
        alone.deploy(engines.bundle(tmp_path / "wrong", answers={1: 2, 7: 15}))
    detail = refused.value.problem.detail
    assert "its answers differ from eager PyTorch's here: answers 1 of 2" in detail
    assert "7.json: 14 instead of 15 (eager 15, here 14)" in detail
    assert alone.status(NAME).number == 1
    assert alone.call(NAME, n=7) == 14


def test_the_authors_comparison_runs_in_the_instance(
    alone: RunningBox, tmp_path: Path, library: engines.Library
) -> None:
    """`@twice.match` says that a difference of one is none: the engine that is off by 0.0005 % serves."""
    library.compute_nearly()
    judge = "\n@twice.match\ndef same(expected: int, actual: int) -> bool:\n    return abs(expected - actual) <= 1\n"
    alone.deploy(engines.bundle(tmp_path / "bundle", answers=RIGHT, handler=engines.HANDLER + judge))
    _settled(alone)
    alone.until("the faster one serves", NAME, lambda status: [one.target for one in status.artifacts] == [SWIFT])
    assert alone.call(NAME, n=100000) == 200001


def test_a_bundle_without_golden_inputs_says_that_nothing_is_shown_here(alone: RunningBox, tmp_path: Path) -> None:
    """With golden_inputs=False the box proves neither artifacts nor answers, and says so of each."""
    alone.deploy(engines.bundle(tmp_path / "bundle", golden_inputs=False))
    links = _settled(alone)
    for link in links.values():
        assert link.state in ("serving", "ready")
        assert link.answers == "answers not compared here: the bundle has no inputs (golden_inputs=False)"
        assert link.reason.startswith("not checked here: the bundle has no golden inputs")
        assert link.error is None
    assert alone.call(NAME, n=3) == 6
