"""`edgefn targets` and what `edgefn box info` says of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edgefn.targets.facts import this_machine
from edgefn.targets.profiles import profiles, targets

if TYPE_CHECKING:
    from edgefn_cli.boxes.local_box import LocalBox

    from .conftest import Edgefn, StandIn

OWN = """\
description = "the camera of line 3"
[cpu]
arch = "riscv64"
[memory]
size = 536_870_912
[[runtimes]]
backend = "onnxruntime"
precisions = ["fp32", "int8"]
library = "onnxruntime"
[sources]
memory = "the camera's data sheet, page 2"
"""


def _project(text: str = OWN, name: str = "camera") -> None:
    """The working directory is a project with a profile of its own."""
    Path("edgefn.toml").write_text('[project]\nname = "line"\n')
    Path("targets").mkdir()
    Path("targets", f"{name}.toml").write_text(text)


def test_each_target_is_a_line(edgefn: Edgefn) -> None:
    """Every target, its backend, how it was verified, and whether this machine can run it."""
    rows = {row["target"]: row for row in edgefn("targets", "--json").json["targets"]}
    assert rows.keys() == targets().keys()
    assert rows["portable/fp32"]["satisfied"]
    assert rows["portable/fp32"]["refusal"] is None
    foreign = next(name for name, one in targets().items() if _arch(one.profile) not in ("", this_machine().arch))
    refusal = rows[foreign]["refusal"]
    assert refusal.keys() == {"artifact", "needs", "has", "fix"}
    assert refusal["has"] == this_machine().arch
    shown = edgefn("targets").stdout.decode()
    assert shown.splitlines()[0].split()[:3] == ["TARGET", "BACKEND", "VERIFIED"]
    for name, one in targets().items():
        assert name in shown
        assert one.backend in shown


def _arch(profile: str) -> str:
    return profiles()[profile].cpu.arch


@pytest.mark.parametrize("name", ["cortex-a76", "cortex-a76/int8"])
def test_a_profile_whole(edgefn: Edgefn, name: str) -> None:
    """By its name or that of a target: every key that says something, and the source of each figure."""
    whole = edgefn("targets", name, "--json").json
    assert whole["name"] == "cortex-a76"
    assert "asimddp" in whole["cpu"]["features"]
    assert "cortex-a76/int8" in whole["targets"]
    shown = edgefn("targets", name).stdout.decode()
    assert "asimddp" in shown
    assert "power.most" in shown
    assert "source of power.most" in shown
    assert "tops" not in shown  # what is not known is not shown as nought


def test_a_project_adds_its_own(edgefn: Edgefn) -> None:
    """Those of its folder are listed and shown as edgefn's are."""
    _project()
    rows = {row["target"]: row for row in edgefn("targets", "--json").json["targets"]}
    assert rows.keys() - targets().keys() == {"camera/fp32", "camera/int8"}
    assert rows["camera/int8"]["description"] == "the camera of line 3"
    assert "page 2" in edgefn("targets", "camera").stdout.decode()


def test_a_wrong_profile_is_told(edgefn: Edgefn) -> None:
    """With the file, the line and the nearest key, by every verb that needs the project."""
    _project(OWN.replace("arch", "arhc"))
    for words in (("targets",), ("build",)):
        result = edgefn(*words)
        assert result.code == 2
        assert "camera.toml:3: 'arhc' is unknown in [cpu]" in result.stderr
        assert 'did you mean "arch"?' in result.stderr


def test_a_profile_of_ours_cannot_be_replaced(edgefn: Edgefn) -> None:
    """A project's file by a name that edgefn has is an error."""
    _project(name="portable")
    result = edgefn("targets")
    assert result.code == 2
    assert "edgefn has a profile 'portable' of its own" in result.stderr


def test_unknown_names(edgefn: Edgefn) -> None:
    """The nearest profile or target is named."""
    result = edgefn("targets", "cortex-a7")
    assert result.code == 2
    assert 'did you mean "cortex-a7' in result.stderr


def test_box_info_tells_what_is_not_for_the_box(edgefn: Edgefn, box: StandIn) -> None:
    """Targets it satisfies, refusals of artifacts that are deployed, then of targets; as a table and as JSON."""
    why = {"artifact": "x86-64-v4/int8", "needs": "the CPU features avx512f", "has": "none", "fix": "another box"}
    about = {
        "name": "line-3",
        "uptime_s": 1.0,
        "cpu": {"arch": "x86_64", "name": "AMD EPYC", "features": ["avx2", "fma"]},
        "engines": {"onnxruntime": "1.30"},
        "devices": ["/dev/dri/renderD128"],
        "targets": {"satisfied": ["portable/fp32"], "refused": [why]},
        "refused": [why | {"function": "classify", "artifact": "net cortex-a72/int8"}],
    }
    box.json("GET /admin/box", about)
    assert edgefn("box", "info", "--json").json == about
    shown = edgefn("box", "info").stdout.decode()
    for part in ("x86_64, AMD EPYC: avx2 fma", "/dev/dri/renderD128", "portable/fp32", "the CPU features avx512f"):
        assert part in shown
    assert shown.index("classify: net cortex-a72/int8") < shown.index("x86-64-v4/int8")
    assert "WHAT WOULD HELP" in shown


def test_a_real_box_tells_what_it_is(edgefn: Edgefn, real_box: LocalBox) -> None:
    """Every target is satisfied or refused with its reason; the box agrees with this machine, which it runs on."""
    found = edgefn("box", "info", "--json").json
    here = this_machine()
    assert found["cpu"]["arch"] == here.arch
    assert found["engines"] == here.libraries
    assert found["refused"] == []
    refused = {why["artifact"]: why for why in found["targets"]["refused"]}
    assert set(found["targets"]["satisfied"]) | refused.keys() == targets().keys()
    assert "portable/fp32" in found["targets"]["satisfied"]
    assert all(why["needs"] and why["has"] and why["fix"] for why in refused.values())
    rows = {row["target"] for row in edgefn("targets", "--json").json["targets"] if row["satisfied"]}
    assert rows == set(found["targets"]["satisfied"])
    assert "fingerprint" in edgefn("box", "info").stdout.decode()
