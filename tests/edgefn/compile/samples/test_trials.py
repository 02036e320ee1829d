"""Inputs made of samples: at other sizes, and changed at their own. Without torch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn.accuracy.judging import FEW
from edgefn.compile.samples import trials
from edgefn.golden import GoldenSample
from edgefn.spec import ModelSpec, SizeRange, TensorSpec

PICTURE = TensorSpec("float32", ("batch", 3, "height", "width"))


def samples(*shapes: tuple[int, ...], seed: int = 0) -> list[GoldenSample]:
    random = np.random.default_rng(seed)
    return [GoldenSample({"x": random.random(shape).astype(np.float32)}, {}) for shape in shapes]


@pytest.mark.long
@settings(deadline=None)
@given(
    st.integers(1, 4),
    st.integers(1, 70),
    st.integers(1, 70),
    st.builds(
        lambda low, more, step: SizeRange(low, low + more + step, step),
        st.integers(1, 40),
        st.integers(0, 90),
        st.integers(1, 16),
    ),
)
def test_every_trial_is_within_its_range_and_new(batch: int, height: int, width: int, allowed: SizeRange) -> None:
    """Least and greatest lengths are among them; inputs have just those shapes, and no row of a batch is another's."""
    spec = ModelSpec("net", {"x": PICTURE}, {}, {"height": allowed})
    given_samples = samples(*[(batch, 3, height, width)] * 4)
    found = trials.other_sizes(spec, given_samples)
    seen = {"batch": batch, "height": height, "width": width}
    assert found
    assert len(found) <= trials.MAX_SIZES
    for sizes in found:
        assert sizes != seen
        assert sizes["height"] in allowed or sizes["height"] == height
        inputs = trials.resized(spec, given_samples, 0, sizes)
        assert inputs is not None
        assert inputs["x"].shape == (sizes["batch"], 3, sizes["height"], sizes["width"])
        rows = min(sizes["batch"], 4 * batch)
        assert len(np.unique(inputs["x"][:rows].reshape(rows, -1), axis=0)) == rows
    for end in {allowed.tightened().min, allowed.tightened().max} - {height}:
        assert any(sizes["height"] == end for sizes in found), (end, found)


DECLARED = {"height": SizeRange(1, 16), "width": SizeRange(1, 16), "batch": SizeRange(1, 64)}


@pytest.mark.parametrize("beyond", ["height", "batch"])
def test_the_greatest_length_is_what_memory_allows_unless_it_is_declared(
    monkeypatch: pytest.MonkeyPatch, beyond: str
) -> None:
    """Inputs of over MAX_BYTES are not made of a length that nobody declared; where each has a greatest, they are."""
    given_samples = samples(*[(1, 3, 8, 8)] * 4)
    usual = {"batch": 1, "height": 8, "width": 8}
    sizes = usual | {beyond: 16}
    size = 4 * 3 * int(np.prod(list(sizes.values())))
    specs = {name: ModelSpec("net", {"x": PICTURE}, {}, ranges) for name, ranges in (("free", {}), ("all", DECLARED))}
    specs["some"] = ModelSpec("net", {"x": PICTURE}, {}, {beyond: DECLARED[beyond]})
    for most, made in ((size, {"free", "all", "some"}), (size - 1, {"all"})):
        monkeypatch.setattr(trials, "MAX_BYTES", most)
        assert {name for name, spec in specs.items() if trials.resized(spec, given_samples, 0, sizes)} == made


def test_a_network_of_fixed_sizes_has_no_other() -> None:
    """There is nothing to try."""
    spec = ModelSpec("net", {"x": TensorSpec("float32", (1, 3, 8, 8))})
    assert trials.other_sizes(spec, samples((1, 3, 8, 8))) == []


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_few_samples_get_more_company(count: int) -> None:
    """With what is made of them there are enough different inputs to tell how far an answer moves."""
    given_samples = samples(*[(1, 3, 8, 8)] * count)
    made = [one["x"] for one in trials.stressed(given_samples)]
    assert not made[-1].any()
    together = [*(one.inputs["x"] for one in given_samples), *made[:-1]]
    assert len(together) >= FEW
    assert len({array.tobytes() for array in together}) == len(together)
    assert all(array.dtype == np.float32 for array in made)


def test_the_smallest_pairs_travel() -> None:
    """As many as fit into the bytes, in their order."""
    pairs = samples((1, 3, 8, 8), (1, 3, 64, 64), (1, 3, 4, 4))
    assert [pair.inputs["x"].shape[-1] for pair in trials.within(pairs, 1500)] == [8, 4]
    assert trials.within(pairs, 10) == ()
