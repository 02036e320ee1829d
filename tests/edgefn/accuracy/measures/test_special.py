"""A mask is told from measurements by the gap, whatever its constant; measurements alone have none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.accuracy.measures import special
from edgefn.accuracy.measures.special import Masks


@given(st.integers(0, 10_000), st.integers(2, 500), st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))
def test_measurements_are_no_masks(seed: int, count: int, unit: float, offset: float) -> None:
    """However near the two largest or the two least of them lie together."""
    values = np.random.default_rng(seed).normal(offset, unit, count)
    for ends in (values, np.append(values, values.max() * (1 + 1e-7)), np.append(values, values.min() - 1e-7 * unit)):
        assert special.find([ends.astype(np.float32)]) == Masks()


@given(st.integers(0, 10_000), st.sampled_from([-np.inf, -1e9, -1e4, -65504.0, 1e9]), st.floats(0.05, 0.95))
def test_a_constant_far_outside_is_a_mask(seed: int, constant: float, share: float) -> None:
    """Those positions and no others, alone or added to the scores."""
    random = np.random.default_rng(seed)
    scores = random.normal(0, 1, 400)
    hidden = random.random(400) < share
    for masked in (np.full(400, constant), scores + constant):
        array = np.where(hidden, masked, scores).astype(np.float32)
        found = special.find([array])
        assert np.array_equal(found.of(array) != 0, hidden)


@pytest.mark.parametrize("array", [np.zeros(5), np.array([1.0]), np.array([]), np.array([1, 2])])
def test_few_values_have_none(array: np.ndarray[tuple[int], np.dtype[np.float64]]) -> None:
    """Nor have constants, and whole numbers."""
    assert special.find([array]) == Masks()
