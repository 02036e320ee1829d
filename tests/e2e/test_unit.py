"""The unit closes what a box does not need, and nothing that it does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import confined
from tests.e2e.box import RunningBox
from tests.e2e.bundles import REPOSITORY, Bundles

UNIT = REPOSITORY / "deploy" / "systemd" / "edgefn-box.service"
MAX_EXPOSURE = 4.0
OPERATIONS = (REPOSITORY / "docs" / "operations.md").read_text(encoding="utf-8")


def analysed(tool: Callable[[str], str]) -> str:
    command = [tool("systemd-analyze"), "security", "--offline=yes", "--no-pager", str(UNIT)]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=os.environ | {"COLUMNS": "300"}
    ).stdout


def test_its_exposure_is_bounded(tool: Callable[[str], str]) -> None:
    """`systemd-analyze security` gives it at most 4.0; root with CAP_SYS_ADMIN cannot get under some 3.5."""
    found = re.search(r"Overall exposure level .*: ([\d.]+)", analysed(tool))
    assert found
    assert float(found[1]) <= MAX_EXPOSURE, found[0]


def test_what_remains_open_is_explained(tool: Callable[[str], str]) -> None:
    """docs/operations.md has a word on each line that systemd-analyze still marks."""
    still_open = set(re.findall(r"^✗ (\w+=\S*)", analysed(tool), re.MULTILINE))
    section = OPERATIONS.split("## What the unit leaves open")[1].split("\n## ")[0]
    explained = set(re.findall(r"`(\w+=[^`]*)`", section.replace("\\|", "|")))
    assert still_open
    assert still_open - explained == set()


def test_what_no_score_counts_is_in_it() -> None:
    """Bounds of all the box together, addresses that no function has to reach, and no layer that may be missing."""
    lines = [line for line in UNIT.read_text().splitlines() if line and not line.startswith("#")]
    settings = dict(line.split("=", 1) for line in lines if "=" in line)
    assert (settings["MemoryMax"], settings["TasksMax"], settings["StateDirectoryMode"]) == ("95%", "16384", "0700")
    assert {"link-local", "fd00:ec2::254"} <= set(settings["IPAddressDeny"].split())
    assert "IPAddressAllow" not in settings
    assert not [line for line in lines if "--dev" in line or "REQUIRE_ISOLATION" in line or "ALLOW_MISSING" in line]


@pytest.fixture
def under_the_unit(tmp_path: Path, tool: Callable[[str], str]) -> Iterator[RunningBox]:
    """A box that runs under the unit's limits, in development mode so that functions get what they ask for."""
    tool("systemd-analyze")
    if os.geteuid() != 0:
        pytest.skip("the unit's box is root")
    before = [sys.executable, confined.__file__, str(UNIT)]
    with RunningBox(tmp_path / "box", before=before, options=["--dev"]) as box:
        yield box


def test_the_limits_are_there_and_every_layer_works(
    under_the_unit: RunningBox, box: RunningBox, bundles: Bundles
) -> None:
    """Ten capabilities, the unit's umask and filters; functions answer, behind the same layers as without."""
    status = Path(f"/proc/{under_the_unit.pid}/status").read_text()
    bounding = int(re.findall(r"CapBnd:\s*(\w+)", status)[0], 16)
    assert bounding.bit_count() == 10
    assert re.findall(r"Umask:\s*(\d+)", status) == ["0077"]
    assert re.findall(r"Seccomp_filters:\s*(\d+)", status) == ["3"]
    assert under_the_unit.info().isolation == box.info().isolation
    under_the_unit.deploy(bundles.of("echo"))
    assert under_the_unit.call("echo", n=41) == {"n": 42}
    assert under_the_unit.template_of("echo") > 0
    assert under_the_unit.status("echo").instances[0].private_bytes, "its memory is measured"


@pytest.mark.needs_torch
def test_a_model_is_finished_and_serves(under_the_unit: RunningBox, bundles: Bundles) -> None:
    """The finisher, which is a user of its own with limits of its own, works under the unit's limits too."""
    under_the_unit.deploy(bundles.of("linear"))
    assert under_the_unit.call("linear", x=[1, 2, 3, 4]) == [3, 5, 7, 9]
