"""What is decided without an engine: calibration's parts, method, safety, the layers that stay in float."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefn.accuracy.verdict import Agreement
from edgefn.compile.quantize import gate, method, safety
from edgefn.compile.quantize.gate import FailedAttempt
from edgefn.compile.quantize.search import sensitivity
from edgefn.compile.quantize.static import calibration
from edgefn.errors import BuildError
from edgefn.golden import GoldenSample
from edgefn.quantization import Quantize
from edgefn.targets.profile import Processor
from edgefn.targets.profiles import profiles


def sample(number: int) -> GoldenSample:
    return GoldenSample({"x": np.array([number])}, {})


@given(st.integers(4, 300))
def test_the_parts_are_disjoint_and_lose_nothing(count: int) -> None:
    """Each input is in one part; a quarter validates."""
    samples = [sample(number) for number in range(count)]
    parts = calibration.split(samples, "net", "x86-64-v3/int8")
    numbers = [[int(one.inputs["x"][0]) for one in part] for part in parts]
    assert sorted(numbers[0] + numbers[1]) == list(range(count))
    assert len(parts.validation) == count // 4


def test_without_calibration_the_refusal_says_what_to_write() -> None:
    """Model, target and the option are named."""
    with pytest.raises(BuildError, match=r'model net .*x86-64-v3/int8.*@edge_model\(calibration="calibration/'):
        calibration.split([], "net", "x86-64-v3/int8")


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({"Conv": 0.7, "Gemm": 0.3}, "static"),
        ({"Conv": 0.2, "MatMul": 0.7, "Gather": 0.1}, "dynamic"),
        ({"LSTM": 0.9, "Gemm": 0.1}, "dynamic"),
        ({"MatMul": 0.3, "Gather": 0.7}, "static"),
    ],
)
def test_the_method_follows_the_weights(shares: dict[str, float], expected: str) -> None:
    """Auto is dynamic where most weights are in matrix products; what the author names is taken."""
    assert method.choose(shares, Quantize(), "net", "t/int8") == expected
    assert method.choose(shares, Quantize(method="static"), "net", "t/int8") == "static"


def test_a_network_without_such_layers_is_refused() -> None:
    """Nothing to quantise: the model is named, and where its weights are."""
    with pytest.raises(BuildError, match=r"model net has no convolution.*Gather"):
        method.choose({"Gather": 1.0}, Quantize(), "net", "t/int8")


def test_an_engine_without_dynamic_int8_is_given_the_static_kind() -> None:
    """Unless the author names the other: that is refused, with model and target."""
    shares = {"MatMul": 1.0}
    assert method.choose(shares, Quantize(), "net", "t/int8", dynamic=False) == "static"
    with pytest.raises(
        BuildError, match=r'model net asks for Quantize\(method="dynamic"\), which t/int8 does not support'
    ):
        method.choose(shares, Quantize(method="dynamic"), "net", "t/int8", dynamic=False)


def test_saturation_is_the_profiles_affair() -> None:
    """AVX2 alone saturates, VNNI and ARM do not; a profile that names no CPU may be run on one that does."""
    assert safety.saturates(profiles()["x86-64-v3"].cpu)
    assert safety.saturates(Processor())
    assert safety.saturates(Processor("x86_64", ("avx512f", "avx512bw")))
    assert not safety.saturates(Processor("x86_64", ("avx2", "avx_vnni")))
    assert not safety.saturates(Processor("aarch64", ("asimd",)))


@given(
    st.lists(st.integers(1, 100), min_size=3, max_size=30, unique=True),
    st.integers(0, 2000),
)
def test_the_search_keeps_the_fewest_of_the_costliest(costs: list[float], bound: float) -> None:
    """With costs that add up: the bound holds, and would not with the cheapest of the kept layers back in eight bits;
    or no third of the layers would do, and none is kept."""
    names = [f"layer{number}" for number in range(len(costs))]
    by_name = dict(zip(names, costs, strict=True))

    def score(kept: tuple[str, ...]) -> sensitivity.Score:
        error = sum(cost for name, cost in by_name.items() if name not in kept)
        return sensitivity.Score(error <= bound, error)

    found = sensitivity.Search(names, score).run()
    if not found.score.passed:
        assert not found.kept
        assert not score(tuple(sorted(names, key=lambda name: -by_name[name])[: int(len(names) * 0.34)])).passed
    elif found.kept:
        cheapest = min(found.kept, key=lambda name: by_name[name])
        assert not score(tuple(name for name in found.kept if name != cheapest)).passed
        assert min(by_name[name] for name in found.kept) >= max(
            cost for name, cost in by_name.items() if name not in found.kept
        )
    else:
        assert score(()).passed


def test_what_the_author_keeps_is_kept_and_no_scan_is_made_when_the_bound_holds() -> None:
    """One scoring, with the author's layers in float."""
    calls: list[tuple[str, ...]] = []

    def score(kept: tuple[str, ...]) -> sensitivity.Score:
        calls.append(kept)
        return sensitivity.Score(True, 0.0)

    assert sensitivity.Search(["a", "b", "c"], score, ("b",)).run().kept == ("b",)
    assert calls == [("b",)]


@given(st.lists(st.integers(1, 1000), min_size=6, max_size=60, unique=True), st.integers(0, 40_000))
def test_a_good_estimate_needs_no_scan(costs: list[int], bound: int) -> None:
    """As few are kept as after a scan, and the network is run some log₂ times, not once a layer.

    Costs are whole: a scan tells apart what differs by more than the rounding of a sum.
    """
    names = [f"layer{number}" for number in range(len(costs))]
    by_name, calls = dict(zip(names, costs, strict=True)), 0

    def score(kept: tuple[str, ...]) -> sensitivity.Score:
        nonlocal calls
        calls += 1
        error = sum(cost for name, cost in by_name.items() if name not in kept)
        return sensitivity.Score(error <= bound, error)

    found = sensitivity.Search(names, score, estimate=by_name).run()
    scanned = sensitivity.Search(names, score).run()
    assert found.kept == scanned.kept
    calls = 0
    if sensitivity.Search(names, score, estimate=by_name).run().score.passed:
        assert calls <= 3 + np.log2(len(names))


def test_what_is_hopeless_is_given_up_after_two_runs() -> None:
    """All that may go back to float changes little: no scan."""
    names, calls = [f"layer{number}" for number in range(50)], 0

    def score(kept: tuple[str, ...]) -> sensitivity.Score:
        nonlocal calls
        calls += 1
        return sensitivity.Score(False, 100.0 - len(kept))

    found = sensitivity.Search(names, score, estimate=dict.fromkeys(names, 1.0)).run()
    assert found.hopeless
    assert not found.kept
    assert calls == 2


def test_a_scan_ends_with_its_time() -> None:
    """The layers that were scanned by then are ranked, those with the largest estimate first."""
    names, scanned = [f"layer{number}" for number in range(40)], []

    def score(kept: tuple[str, ...]) -> sensitivity.Score:
        if len(kept) == 1:
            scanned.append(kept[0])
        return sensitivity.Score("layer39" in kept and len(kept) == 1 and len(scanned) > 3, 1.0 if kept else 100.0)

    estimate = {name: float(number) for number, name in enumerate(names)}
    sensitivity.Search(names, score, estimate=estimate, enough=lambda: len(scanned) == 3).run()
    assert scanned[:3] == ["layer39", "layer38", "layer37"]


def test_no_more_go_back_to_float_than_may() -> None:
    """`spare` decides what else there is room for: a layer that is too large is passed over."""
    sizes = {"a": 10, "b": 50, "c": 10, "d": 10, "e": 10, "f": 10}

    def score(kept: tuple[str, ...]) -> sensitivity.Score:
        return sensitivity.Score("a" in kept, 100.0 - 40 * ("b" in kept) - 30 * ("a" in kept))

    def spare(kept: Sequence[str]) -> bool:
        return sum(sizes[name] for name in kept) <= 40

    found = sensitivity.Search(list(sizes), score, estimate={"b": 9.0, "a": 5.0, "c": 1.0}, spare=spare).run()
    assert found.kept == ("a",)


@given(st.lists(st.floats(0.11, 9.0), min_size=1, max_size=4))
def test_a_refusal_tells_of_the_attempt_with_the_least_error(errors: list[float]) -> None:
    """The way that is named as the nearest is that whose figure is told, and no other's figure is smaller."""
    tried = [
        FailedAttempt(f"way {place}", f"reason {place}", Agreement("wrong", error))
        for place, error in enumerate(errors)
    ]
    nearest = errors.index(min(errors))
    told = str(gate.refusal([FailedAttempt("broken", "broken fails"), *tried], "net"))
    assert f"reason {nearest} (error {errors[nearest]:.2g}" in told
    assert f"way {nearest} came nearest" in told
