"""An engine that is right at its samples' size and wrong at others, on a real box: no wrong answer is served."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e import engines
from tests.e2e.box import RunningBox
from tests.e2e.deadline import eventually

pytestmark = pytest.mark.timeout(180)

SWIFT, PORTABLE = engines.SWIFT, engines.PORTABLE


def test_an_answer_of_another_shape_is_a_500_and_the_next_artifact_serves(
    tmp_path: Path, library: engines.Library
) -> None:
    """It passed its gates, and answers two rows for three: nobody gets that, and the box marks it and leaves it."""
    library.misshape()
    with RunningBox(tmp_path / "box", before=library.before) as box:
        box.deploy(engines.bundle(tmp_path / "bundle"))
        eventually("the faster artifact serves", lambda: "it serves now" in box.logs(engines.NAME), seconds=60)
        assert box.call(engines.NAME, n=21, rows=2) == 42
        refused = box.invoke(engines.NAME, n=21, rows=3)
        assert refused.status_code == 500
        assert refused.headers["content-type"] == "application/problem+json"
        served = [box.invoke(engines.NAME, n=21, rows=3) for _ in range(5)]
        assert [(one.status_code, one.json()) for one in served] == [(200, 42)] * 5
        (broken,) = box.status(engines.NAME).broken
        assert broken.artifact == f"{SWIFT.model} {SWIFT.target}"
        assert broken.reason == "output 'y' has the shape [2, 128] but must have [3, 128] for batch = 3"
        assert "WrongShape: model double: output 'y' has the shape [2, 128]" in box.logs(engines.NAME)
    with RunningBox(tmp_path / "box", before=library.before) as box:
        assert box.call(engines.NAME, n=21, rows=3) == 42
        assert [one.target for one in box.status(engines.NAME).artifacts] == [PORTABLE.target]


def test_wrong_numbers_at_another_size_are_found_as_it_is_installed(tmp_path: Path, library: engines.Library) -> None:
    """Right for the samples' one row and wrong for three: pairs at other sizes travel, and it never serves."""
    library.compute_wrongly(beyond=2)
    with RunningBox(tmp_path / "box", before=library.before) as box:
        box.deploy(engines.bundle(tmp_path / "bundle", sizes=(2, 3)))
        box.until("nothing is on its way", engines.NAME, lambda status: not status.finishing)
        links = {one.target: one for one in box.explain(engines.NAME).artifacts}
        assert {name: link.state for name, link in links.items()} == {
            SWIFT.target: "out of bound",
            PORTABLE.target: "serving",
        }
        assert links[SWIFT.target].reason.startswith("at x [3, 128]: y[")
        assert [box.call(engines.NAME, n=21, rows=rows) for rows in (1, 2, 3, 4)] == [42] * 4
