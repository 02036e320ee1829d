"""Golden pairs as a build keeps them: which of them travel in the bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgefn import golden
from edgefn.compile.samples import goldens
from edgefn.compile.samples.goldens import Golden
from edgefn.golden import GoldenSample, Pairs


def pairs(count: int, length: int, first: int = 0) -> tuple[GoldenSample, ...]:
    arrays = [np.full((1, length), first + number, np.float32) for number in range(count)]
    return tuple(GoldenSample({"x": array}, {"y": 2 * array}) for array in arrays)


def shapes(kept: tuple[GoldenSample, ...]) -> list[tuple[float, int]]:
    return [(float(pair.inputs["x"][0, 0]), pair.inputs["x"].shape[1]) for pair in kept]


def test_what_travels_is_bounded_in_bytes_and_has_each_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All samples, four held-out ones, and of the pairs that are made the smallest that fit, each kind by itself."""
    monkeypatch.setattr(goldens, "KEPT_BYTES", 2 * 8 * (4 + 8))  # a pair of four numbers and one of eight
    path = tmp_path / "golden.npz"
    golden.write(Pairs(pairs(3, 4), stress=(*pairs(1, 8, 10), *pairs(1, 4, 11), *pairs(1, 50, 12))), path)
    sizes = (*pairs(1, 50, 20), *pairs(1, 8, 21), *pairs(1, 4, 22))
    Golden(path, cached=False).write_kept(pairs(9, 4, 30), sizes, tmp_path / "kept.npz")
    kept = golden.load_pairs(tmp_path / "kept.npz")
    assert shapes(kept.samples) == [(0, 4), (1, 4), (2, 4)]
    assert shapes(kept.held_out) == [(30, 4), (31, 4), (32, 4), (33, 4)]
    assert shapes(kept.stress) == [(10, 8), (11, 4)]
    assert shapes(kept.sizes) == [(21, 8), (22, 4)]
    for pair in (*kept.samples, *kept.held_out, *kept.stress, *kept.sizes):
        np.testing.assert_array_equal(pair.outputs["y"], 2 * pair.inputs["x"])
