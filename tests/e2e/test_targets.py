"""A box and artifacts that are not for it: refused by name with what would help; those that are for it serve."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edgefn.bundle.config import BundleConfig
from edgefn.bundle.oci.layout import Layout
from edgefn.targets.needs import Needs
from edgefn_runtime.gateway.openapi.admin_paths import described
from tests.e2e.box import Refused, RunningBox
from tests.e2e.bundles import TINY, Bundles, build

pytestmark = pytest.mark.needs_torch


OUR_BOARD = f"""\
description = "a board like this machine"
[cpu]
arch = "{platform.machine()}"
[[runtimes]]
backend = "onnxruntime"
precisions = ["fp32"]
library = "onnxruntime"
"""


def _with_needs(config: BundleConfig, needs: Needs) -> BundleConfig:
    entries = tuple(msgspec.structs.replace(one, needs=needs) for one in config.artifacts)
    return msgspec.structs.replace(config, artifacts=entries)


def test_a_build_writes_down_what_its_targets_need(bundles: Bundles) -> None:
    """So that a box needs no profile's file."""
    (entry,) = bundles.of("linear").config.artifacts
    assert entry.needs is not None
    assert (entry.needs.arch, entry.needs.library, entry.needs.versions) == ("", "onnxruntime", ">=1.22")


@pytest.mark.parametrize(
    ("title", "needs", "words"),
    [
        ("for-another-cpu", Needs("vax"), "portable/fp32 needs a CPU of vax, this box has"),
        (
            "for-a-library",
            Needs(library="no-such-engine"),
            "needs no-such-engine, this box has no no-such-engine: ",
        ),
        ("for-a-version", Needs(library="onnxruntime", versions="<1"), "needs onnxruntime<1, this box has onnxruntime"),
        ("for-a-chip", Needs(device="/dev/no-such-npu"), "at /dev/no-such-npu, this box has no /dev/no-such-npu"),
    ],
)
def test_refused_with_the_reason(box: RunningBox, bundles: Bundles, title: str, needs: Needs, words: str) -> None:
    """A model none of whose artifacts is for the box is refused at deployment, before anything is unpacked."""
    config = _with_needs(bundles.of("linear").config, needs)
    with pytest.raises(Refused) as caught:
        box.deploy(bundles.with_config("linear", config, title=title))
    assert words in str(caught.value)


def test_the_box_tells_all_that_its_document_says(deployed: Callable[[str], RunningBox]) -> None:
    """The members of GET /admin/box are those of the schema BoxInfo, and no other."""
    about = deployed("linear").admin("GET", "box").json()
    schemas = described().schemas
    assert about.keys() == set(schemas["BoxInfo"]["required"])
    assert about["refused"] == []
    assert {"satisfied", "refused"} == about["targets"].keys()
    for why in about["targets"]["refused"]:
        assert why.keys() == set(schemas["TargetRefusal"]["required"])


@pytest.mark.long
def test_a_projects_own_profile_works_on_a_box(new_box: Callable[[], RunningBox], tmp_path: Path) -> None:
    """The box has no file of it: the bundle says what it needs. The box serves one of the two artifacts."""
    shutil.copytree(TINY / "linear", tmp_path / "linear")
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "our-board.toml").write_text(OUR_BOARD)
    (tmp_path / "edgefn.toml").write_text(
        '[project]\nname = "line"\n[build]\ntargets = ["portable/fp32", "our-board/*"]\n'
    )
    layout = Layout(tmp_path / "layout")
    bundle = layout.open(build(tmp_path / "linear", layout.path))
    needs = {entry.target: entry.needs for entry in bundle.config.artifacts}
    assert needs["our-board/fp32"] == Needs(platform.machine(), library="onnxruntime")
    box = new_box()
    assert box.deploy(bundle).number == 1
    assert box.info().refused == []
    assert {one.target for one in box.status("linear").artifacts} <= needs.keys()
    assert len(box.status("linear").artifacts) == 1
