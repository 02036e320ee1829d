"""Integer weights that cannot saturate, and activations' ranges: properties over all inputs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgefn.compile.quantize.static import compensation, ranges, weights
from edgefn.compile.quantize.static.compensation import Statistics
from edgefn.compile.quantize.static.weights import Form

VALUES = st.floats(-100, 100, width=32).map(lambda value: 0.0 if abs(value) < 1e-6 else value)
ROWS = arrays.arrays(np.float64, st.tuples(st.integers(1, 4), st.integers(1, 9)), elements=VALUES)
SIXTEEN_BITS = 32767


@given(ROWS)
def test_no_pair_of_products_leaves_sixteen_bits(rows: Any) -> None:
    """For every two activations of 8 bits, the products with two neighbouring weights sum to what 16 bits hold."""
    integers = weights.rounded(rows, weights.scales(rows, paired=True), paired=True).astype(np.int64)
    assert (255 * weights.pair_sums(integers)).max(initial=0) <= SIXTEEN_BITS


@given(ROWS, st.booleans())
def test_integers_are_within_a_step_of_the_weights(rows: Any, paired: bool) -> None:
    """The integers stand for the weights to half a step; in a pair that was over its limit to one and a half."""
    scale = weights.scales(rows, paired=paired)
    integers = weights.rounded(rows, scale, paired=paired)
    assert np.abs(integers).max(initial=0) <= weights.LARGEST
    assert (np.abs(integers * scale[:, None] - rows) <= scale[:, None] * (1.51 if paired else 0.51)).all()


def test_pairs_cost_less_than_the_seventh_bit() -> None:
    """On weights as networks have them the safe scale is finer than that of seven bits."""
    rows = np.random.default_rng(0).standard_normal((64, 256))
    seven_bits = np.abs(rows).max(axis=1) / 63
    assert np.mean(weights.scales(rows, paired=True) / seven_bits) < 0.8


@given(
    st.sampled_from([Form("conv"), Form("rows"), Form("columns")]),
    st.integers(1, 4),
    st.integers(1, 4),
)
def test_a_layout_comes_back(form: Form, out: int, k: int) -> None:
    """Rows and back is the identity, whatever the layout."""
    shape = {"conv": (out, k, 2, 3), "rows": (out, k), "columns": (k, out)}[form.layout]
    weight = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    rows = form.rows(weight)
    assert len(rows) == out
    np.testing.assert_array_equal(form.weight(rows, shape), weight)


@given(st.floats(-50, 50), st.floats(-50, 50))
def test_zero_is_on_the_grid(one: float, other: float) -> None:
    """Every range holds zero, at an integer: padding stays exactly nothing."""
    within = ranges.spanned(min(one, other), max(one, other))
    assert within.low <= 0 <= within.high
    assert 0 <= within.zero <= ranges.LEVELS


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(0, 50)), min_size=1, max_size=40))
def test_an_expected_range_holds_what_was_seen(seen: list[tuple[float, float]]) -> None:
    """All of it, and where the samples' extremes are the same no more than that."""
    lows, widths = np.array(seen).T
    within = ranges.expected(lows, lows + widths)
    assert within.low <= lows.min() + 1e-9
    assert within.high >= (lows + widths).max() - 1e-9
    alike = ranges.expected(np.full(len(lows), lows[0]), np.full(len(lows), lows[0] + widths[0]))
    assert alike == pytest.approx(ranges.spanned(lows[0], lows[0] + widths[0]))


def test_an_expected_range_holds_what_comes_later() -> None:
    """Of 18 samples of normal numbers: 95 % of those that come later, where the range that was seen holds 90 %."""
    random = np.random.default_rng(0)
    held = {"seen": 0, "expected": 0}
    for _ in range(200):
        samples = random.standard_normal((19, 300))
        lows, highs = samples[:18].min(axis=1), samples[:18].max(axis=1)
        found = {"seen": ranges.spanned(lows.min(), highs.max()), "expected": ranges.expected(lows, highs)}
        for name, within in found.items():
            held[name] += bool(within.low <= samples[18].min() and samples[18].max() <= within.high)
    assert held["expected"] >= 0.95 * 200
    assert held["seen"] < 0.93 * 200


def test_an_outlier_does_not_take_the_resolution() -> None:
    """The chosen range loses less than the whole one where a single value is far out, and keeps it all elsewhere."""
    values = np.random.default_rng(0).standard_normal(300_000)
    spiked = np.append(values, 12.0)
    whole = ranges.spanned(spiked.min(), spiked.max())
    assert ranges.error(spiked, ranges.least_error(spiked, whole)) < 0.9 * ranges.error(spiked, whole)
    uniform = np.linspace(0, 1, 10_000)
    assert ranges.least_error(uniform, ranges.spanned(0, 1)).high == 1.0


def statistics(x: Any, f: Any) -> Statistics:
    return Statistics(x.mean(0)[None], f.mean(0)[None], (x.T @ x / len(x))[None])


def correlated(count: int, size: int, seed: int) -> Any:
    random = np.random.default_rng(seed)
    return random.standard_normal((count, 3)) @ random.standard_normal((3, size)) + 0.1 * random.standard_normal(
        (count, size)
    )


def test_compensated_rounding_is_nearer_on_inputs_never_seen() -> None:
    """The outputs on other inputs of the same kind err less than half as much as with the nearest integers."""
    x, rows = correlated(2000, 32, 1), np.random.default_rng(2).standard_normal((16, 32))
    seen, unseen, bias = x[:1000], x[1000:], np.zeros(16, np.float32)
    nearest = compensation.plain(rows, bias, paired=True)
    better = compensation.compensated(rows, bias, statistics(seen, seen), paired=True)
    errors = [np.square(unseen @ (one.rows - rows).T + one.bias).mean() for one in (better, nearest)]
    assert errors[0] < 0.5 * errors[1]
    assert (255 * weights.pair_sums(better.integers.astype(np.int64))).max() <= SIXTEEN_BITS


def test_the_bias_takes_back_what_moved_the_inputs_mean() -> None:
    """A shift of the quantised layers' outputs is undone by the next bias: the mean output is the float one."""
    f, rows = correlated(500, 8, 3), np.random.default_rng(4).standard_normal((4, 8))
    x, bias = f + 0.3, np.ones(4, np.float32)
    rounded = compensation.compensated(rows, bias, statistics(x, f), paired=False)
    given_mean = (x @ rounded.rows.T + rounded.bias).mean(0)
    np.testing.assert_allclose(given_mean, (f @ rows.T + bias).mean(0), atol=1e-4)


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize(("groups", "outs", "size"), [(1, 8, 27), (3, 4, 9), (1, 16, 200), (1, 5, 64)])
def test_columns_are_rounded_the_same_in_blocks_of_any_size(
    groups: int, outs: int, size: int, paired: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at a time, as the method is told, or many: the integers are the same."""
    random = np.random.default_rng(size)
    rows = random.standard_normal((groups * outs, size)).astype(np.float32)
    x = random.standard_normal((groups, 300, size)) @ random.standard_normal((groups, size, size))
    mean = x.mean(axis=1)
    seen = compensation.Statistics(mean, mean, np.swapaxes(x, 1, 2) @ x / 300)
    bias = np.zeros(groups * outs, np.float32)
    found = []
    for block in (1, 7, 64, 1000):
        monkeypatch.setattr(compensation, "BLOCK", block)
        found.append(compensation.compensated(rows, bias, seen, paired=paired).integers)
    for one in found[1:]:
        np.testing.assert_array_equal(one, found[0])
