"""What int8 is calibrated on and judged by: real inputs, and never the same ones."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn import golden
from edgefn.compile.cache.cache import Cache
from edgefn.compile.cache.sources import Sources
from edgefn.compile.samples import calibration
from edgefn.compile.samples.calibration import ENOUGH, MAX_CALLS, MAX_HELD_OUT, Calibrations, choose, content
from edgefn.compile.samples.goldens import Goldens
from edgefn.errors import BuildError
from edgefn.function import load
from edgefn.golden import GoldenSample
from edgefn.model import models_of


def _samples(*values: int) -> list[GoldenSample]:
    return [GoldenSample({"x": np.full(2, value)}, {"y": np.full(1, value)}) for value in values]


def _values(samples: object) -> list[int]:
    return [int(sample.inputs["x"][0]) for sample in samples]  # type: ignore[attr-defined]


@given(
    st.sets(st.integers(0, 400), min_size=1, max_size=16), st.lists(st.integers(0, 400), max_size=400), st.booleans()
)
def test_no_judge_has_calibrated(golden_values: set[int], recorded: list[int], given: bool) -> None:
    """No input both calibrates and judges; there is one of each, and not too many; or it is an error."""
    golden_samples = _samples(*sorted(golden_values))
    try:
        choice = choose(golden_samples, _samples(*recorded), given=given)
    except BuildError:
        assert given or len(golden_samples) == 1
        return
    judges = {content(golden_samples[number]) for number in choice.info.judges}
    assert judges
    assert judges.isdisjoint(content(sample) for sample in choice.samples)
    assert 1 <= len(choice.samples) <= MAX_CALLS
    assert bool(choice.info.warning) == (len(judges) < len(golden_samples)) or len(golden_samples) == 1


def test_what_is_given_is_taken_and_all_golden_samples_judge() -> None:
    """Even a single call; golden ones among them are left out."""
    choice = choose(_samples(1, 2), _samples(2, 3), given=True)
    assert (_values(choice.samples), choice.info.judges, choice.info.warning) == ([3], (0, 1), "")
    with pytest.raises(BuildError, match=r"all 2 calls .* are golden samples, .*: give inputs that are not among"):
        choose(_samples(1, 2), _samples(2, 1), given=True)


def test_samples_that_are_not_golden_calibrate() -> None:
    """When there are enough; spread evenly when there are too many."""
    choice = choose(_samples(1, 2), _samples(*range(ENOUGH + 3)), given=False)
    assert (_values(choice.samples), choice.info.judges) == ([0, *range(3, ENOUGH + 3)], (0, 1))
    many = choose(_samples(-1), _samples(*range(2 * MAX_CALLS)), given=False)
    kept = list(range(0, 2 * MAX_CALLS, 2))
    assert sorted(_values([*many.samples, *many.held_out])) == kept
    assert len(many.held_out) == MAX_HELD_OUT
    assert not set(_values(many.samples)) & set(_values(many.held_out))


def test_with_too_few_samples_golden_ones_calibrate_and_the_others_judge() -> None:
    """The report says so; with a single one there is nothing to judge by, and the error says what to give."""
    choice = choose(_samples(1, 2, 3), _samples(1, 2, 3, 4), given=False)
    assert (_values(choice.samples), choice.info.judges) == ([4, 2], (0, 2))
    assert choice.info.warning.startswith("calibrated on golden samples: give calibration=")
    with pytest.raises(BuildError, match="too few to calibrate and to judge: give more samples="):
        choose(_samples(1), _samples(1), given=False)


def test_calibration_samples_have_a_bound_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large inputs: fewer of them, evenly spread, one at least."""
    each = _samples(0)[0]
    size = each.inputs["x"].nbytes + each.outputs["y"].nbytes
    monkeypatch.setattr(calibration, "MAX_BYTES", 5 * size)
    assert _values(calibration.bounded(_samples(*range(10)))) == [0, 2, 4, 6, 8]
    monkeypatch.setattr(calibration, "MAX_BYTES", 1)
    assert _values(calibration.bounded(_samples(*range(10)))) == [0]


def test_content_is_of_inputs_alone() -> None:
    """Names, types, shapes and values."""
    one = GoldenSample({"x": np.zeros(4, np.float32)}, {"y": np.zeros(1)})
    assert content(one) == content(GoldenSample({"x": np.zeros(4, np.float32)}, {"y": np.ones(1)}))
    y, integers, flat = (np.zeros(4, np.float32), np.zeros(4, np.int32), np.zeros((2, 2), np.float32))
    others = [GoldenSample({"y": y}, {}), GoldenSample({"x": integers}, {}), GoldenSample({"x": flat}, {})]
    assert len({content(one), *map(content, others)}) == 4


SOURCE = """
import numpy as np
from edgefn import edge_function, edge_model, tensor

@edge_model(inputs={"x": tensor("float32", "batch", 2)}, samples="samples/*.json", calibration="samples/more/*.json")
def NAME_double():
    import torch
    network = torch.nn.Module()
    network.forward = lambda x: x * 2
    return network

@edge_function
def NAME(numbers: list[float]) -> float:
    return sum(float(NAME_double(x=np.array([[number, 0]], np.float32)).sum()) for number in numbers)
"""


@pytest.mark.needs_torch
def test_calibration_is_recorded_through_the_handler(tmp_path: Path) -> None:
    """Several calls of a request each count; eager outputs are kept; another file is another recording."""
    folder = tmp_path / "calibrated_here"
    (folder / "samples" / "more").mkdir(parents=True)
    (folder / "calibrated_here.py").write_text(SOURCE.replace("NAME", "calibrated_here"))
    (folder / "samples" / "0.json").write_text(json.dumps([1.0]))
    (folder / "samples" / "more" / "1.json").write_text(json.dumps([1.0, 2.0, 3.0]))
    function = load(folder)
    (model,) = models_of(sys.modules["calibrated_here"]).values()
    sources, cache = Sources(folder), Cache(tmp_path / "cache")
    goldens = Goldens(function, [model], sources, cache)
    calibrations = Calibrations(function, [model], sources, cache, goldens.sessions)
    chosen = goldens.obtain(reuse=False)[model.spec.name]

    first = calibrations.obtain(model, chosen)
    samples = golden.load(first.path)
    assert [float(sample.inputs["x"][0, 0]) for sample in samples] == [2.0, 3.0]
    assert [float(sample.outputs["output"][0, 0]) for sample in samples] == [4.0, 6.0]
    assert first.info.judges == (0,)
    assert calibrations.obtain(model, chosen).path == first.path
    (folder / "samples" / "more" / "2.json").write_text(json.dumps([5.0]))
    assert calibrations.obtain(model, chosen).digest != first.digest
    latest = calibrations.obtain(model, chosen)
    kept = replace(chosen, stale=True)
    (folder / "samples" / "more" / "3.json").write_text(json.dumps([7.0]))
    assert calibrations.obtain(model, kept).digest == latest.digest
    assert calibrations.obtain(model, chosen).digest != latest.digest
    for path in (folder / "samples" / "more").iterdir():
        path.unlink()
    with pytest.raises(
        BuildError,
        match=r"_here_double cannot be calibrated for int8: calibration='.*' matches no file in .* calibration=",
    ):
        calibrations.obtain(model, chosen)
