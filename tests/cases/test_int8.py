"""int8 of networks that are no classifiers of pictures: sounds, maps with an offset, detectors, larger pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgefn import golden
from tests.cases import held_out
from tests.cases.case import Case

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(600)]

TARGET = "x86-64-v3/int8"


def built(name: str, folder: Path) -> Case:
    """The case, built for int8 with more than half of its multiplications in eight bits."""
    case = Case(name, folder)
    outcome = case.built("--target", TARGET)
    row = outcome.rows[TARGET]
    assert row["status"] == "built", row["reason"]
    assert row["share"]["operations"] > 0.5
    return case


@pytest.mark.long
def test_a_network_of_one_dimension_is_made_int8(tmp_path: Path) -> None:
    """A raw wave's classifier: on sounds never seen the scores are within a tenth of how far they move."""
    case = built("audio_1d", tmp_path)
    artifact = held_out.session(case, TARGET, tmp_path / "artifact")
    found, wanted = held_out.answers(case, artifact, [case.module.draw(seed) for seed in range(500, 532)])
    assert held_out.error(found, wanted) < 0.1


@pytest.mark.long
def test_a_map_with_an_offset_keeps_its_levels(tmp_path: Path) -> None:
    """Temperatures of 295 give or take 3: their movement arrives, in more than a thousand values."""
    case = built("kelvin_map", tmp_path)
    artifact = held_out.session(case, TARGET, tmp_path / "artifact")
    found, wanted = held_out.answers(case, artifact, [case.module.draw(seed) for seed in range(900, 916)])
    assert held_out.error(found, wanted) < 0.05
    assert len(np.unique(found[0])) > 1000


@pytest.mark.long
def test_a_detector_finds_what_eager_finds(tmp_path: Path) -> None:
    """Boxes in pixels and scores from 0 to 1 in one tensor: each part is near, and the scores do not vanish."""
    case = built("yolo_int8", tmp_path)
    artifact = held_out.session(case, TARGET, tmp_path / "artifact")
    scenes = [{"images": case.module.scene(seed)[0][None]} for seed in range(5000, 5008)]
    found, wanted = held_out.answers(case, artifact, scenes)
    for part in (slice(0, 4), slice(4, 6)):
        assert held_out.error(found[..., part], wanted[..., part]) < 0.15
    likely = wanted[..., 4:] > 0.5
    assert likely.sum() > 8
    assert (found[..., 4:][likely] > 0.4).mean() > 0.95


@pytest.mark.long
def test_a_larger_picture_is_near(tmp_path: Path) -> None:
    """Super-resolution at sizes other than the samples'."""
    case = Case("superres", tmp_path)
    row = case.built("--target", TARGET).rows[TARGET]
    assert row["status"] == "built", row["reason"]
    artifact = held_out.session(case, TARGET, tmp_path / "artifact")
    found, wanted = held_out.answers(case, artifact, [case.module.draw(seed, 40, 56) for seed in range(700, 712)])
    assert held_out.error(found, wanted) < 0.1
    (file,) = (tmp_path / "artifact" / "unpacked" / "golden").iterdir()
    pairs = golden.load_pairs(file)
    assert len(pairs.held_out) == 4, "held-out calibration inputs travel"
    assert pairs.sizes, "pairs at other sizes travel"
