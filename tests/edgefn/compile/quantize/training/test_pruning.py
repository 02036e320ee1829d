"""Which channels pruning keeps."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from edgefn.compile.quantize.training.pruning import MIN_CHANNELS, strongest


@given(channels=st.integers(1, 200), share=st.floats(0.0, 0.95), seed=st.integers(0, 100))
def test_a_layer_keeps_its_strongest_channels(channels: int, share: float, seed: int) -> None:
    """As many as were asked for, but for the least; in their order."""
    draw = np.random.default_rng(seed)
    first, second = draw.normal(size=(channels, 5)), draw.normal(size=(7, channels, 3))
    kept = strongest(first, second, share)
    assert len(kept) == max(min(MIN_CHANNELS, channels), channels - int(channels * share))
    strength = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=(0, 2))
    gone = np.setdiff1d(np.arange(channels), kept)
    assert sorted(kept) == list(kept)
    assert not len(gone) or strength[kept].min() >= strength[gone].max()
