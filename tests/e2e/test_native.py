"""Every target of this machine, built from one network, proved on one box, ranked there, and explained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgefn.api.artifacts import ArtifactStatus
from edgefn.bundle.oci.layout import Layout
from edgefn.targets.facts import this_machine
from edgefn.targets.groups import ALL_NATIVE, members
from tests.e2e.box import RunningBox
from tests.e2e.bundles import EXAMPLES, build

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(400)]

NAME = "read_digits"


@pytest.mark.long  # each target has its tests, and tests/e2e/test_targets.py the choice among them
def test_all_native_targets_are_built_proved_and_ranked(tmp_path: Path) -> None:
    """The report has each target of this machine; the box proves each, serves the fastest, and explains all."""
    wanted = {str(one) for one in members(ALL_NATIVE, this_machine())}
    layout = Layout(tmp_path / "layout")
    bundle = layout.open(build(EXAMPLES / NAME, layout.path, "--target", ALL_NATIVE))
    report = json.loads((layout.path / "reports" / f"{NAME}.json").read_bytes())
    told = {one["target"]: one for one in report["artifacts"]}
    assert set(told) == wanted
    assert {name: one["reason"] for name, one in told.items() if one["status"] != "built"} == {}
    assert all(one["quantized"] for name, one in told.items() if "/int8" in name)
    with RunningBox(tmp_path / "box") as box:
        box.deploy(bundle)
        box.until("all artifacts are finished", NAME, lambda status: not status.finishing, seconds=120)
        ranked = _explained(box)
        assert {one.target for one in ranked} == wanted
        assert {one.state for one in ranked} == {"serving", "ready"}, ranked
        assert ranked[0].state == "serving"
        answer = box.send(NAME, (EXAMPLES / NAME / "samples" / "7.png").read_bytes(), "image/png")
        assert answer.json()["digit"] == 7


def _explained(box: RunningBox) -> list[ArtifactStatus]:
    artifacts = box.explain(NAME).artifacts
    return sorted(artifacts, key=lambda one: one.rank or len(artifacts))
