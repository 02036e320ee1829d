"""What would make a function faster: each rule names what to do and its figures, and is silent where it is no help."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edgefn.api.artifacts import ArtifactStatus
from edgefn.spec import Batching, FunctionSpec
from edgefn.targets.matcher import ELSEWHERE, TargetRefusal
from edgefn_runtime.artifacts.advice import WORTH_S, AdviceInput, advice

SERVING = ArtifactStatus("net", "portable/fp32", "onnxruntime", "serving", rank=1, latency_s=0.02, ratio=1.0)
NEAR = ArtifactStatus(
    model="net",
    target="x86-64-v3/int8",
    backend="onnxruntime",
    state="out of bound",
    error=0.015,
    error_limit=0.01,
    top1=0.96,
    top1_bound=0.98,
)
SPEC = FunctionSpec("classify", "classify:classify")
LACKING = TargetRefusal(
    "net x86-64-v3/fp32@openvino", "openvino>=2025", "no openvino", "pip install 'edgefn[openvino]'"
)


def _facts(*links: ArtifactStatus, **changed: Any) -> AdviceInput:
    """Those of a function that serves and that nothing would make faster, `changed`."""
    calm = AdviceInput(SPEC, links or (SERVING,), targets=("portable/fp32",), batching={"net": Batching(8)})
    return msgspec.structs.replace(calm, **changed)


def _said(facts: AdviceInput, rule: str) -> str:
    """The one piece of advice by `rule`, and nothing else is advised."""
    (found,) = advice(facts)
    assert found.rule == rule
    return found.text


def _changed(link: ArtifactStatus, **figures: Any) -> ArtifactStatus:
    return msgspec.structs.replace(link, **figures)


def test_nothing_to_advise() -> None:
    """No refusal, no near miss, every target built, one core, batching on."""
    assert advice(_facts()) == []
    assert advice(_facts(spec=FunctionSpec("plain", "plain:plain"), links=(), batching={}, cores=8)) == []


def test_a_library_to_install() -> None:
    """What is in the bundle and refused here, with what it needs and the command."""
    text = _said(_facts(refusals=[LACKING]), "install")
    assert (
        text == "net x86-64-v3/fp32@openvino is in the bundle and needs openvino>=2025: pip install 'edgefn[openvino]'"
    )


def test_what_is_for_other_boxes_is_no_advice() -> None:
    """No library turns this box into one with another CPU."""
    other = TargetRefusal("net cortex-a76/int8", "a CPU of aarch64", "x86_64", ELSEWHERE)
    assert advice(_facts(refusals=[other])) == []


def test_a_bound_missed_by_little() -> None:
    """Both figures beside their limits, and both ways out."""
    text = _said(_facts(SERVING, NEAR), "accuracy")
    assert "net x86-64-v3/int8 is not used because of an error of 0.015 where 0.01 is allowed" in text
    assert "and a top-1 agreement of 0.960 where 0.980 is required" in text
    assert "accuracy=Accuracy(error=...)" in text
    assert "quantize=Quantize(epochs=3)" in text


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"top1": 1.0}, "an error of 0.015 where 0.01 is allowed:"),
        ({"error": 0.001}, "because of a top-1 agreement of 0.960 where 0.980 is required:"),
        ({"top1": None, "top1_bound": None}, "an error of 0.015 where 0.01 is allowed:"),
    ],
)
def test_only_what_was_missed_is_told(figures: dict[str, Any], told: str) -> None:
    """A figure within its bound, or one that has no meaning here, is not named."""
    assert told in _said(_facts(SERVING, _changed(NEAR, **figures)), "accuracy")


@pytest.mark.parametrize(
    "figures",
    [
        {"error": 0.021},
        {"error": None},
        {"top1": 0.92},
        {"state": "broken"},
        {"state": "ready"},
    ],
)
def test_a_bound_missed_by_far_is_no_matter_of_tuning(figures: dict[str, Any]) -> None:
    """More than twice the bound, a twentieth of the samples, no figure at all; or it is not out of bound."""
    assert advice(_facts(SERVING, _changed(NEAR, **figures))) == []


def test_targets_to_build_for() -> None:
    """One command, with each target that this box satisfies and the bundle lacks, sorted; model by model."""
    both = ("x86-64-v3/int8", "portable/fp32", "x86-64-v3/fp32")
    text = _said(_facts(targets=both), "build")
    assert text.endswith("net was not built for: edgefn build --target x86-64-v3/fp32 --target x86-64-v3/int8")
    second = _changed(SERVING, model="other", target="x86-64-v3/int8")
    found = [one.text for one in advice(_facts(SERVING, second, targets=both[:2]))]
    assert [text.split(" was not built")[0].rpartition(" ")[2] for text in found] == ["net", "other"]
    assert found[1].endswith("edgefn build --target portable/fp32")


def test_more_threads() -> None:
    """For a run that is long enough, on a box with a core to spare, of a function that did not choose."""
    text = _said(_facts(cores=4), "threads")
    assert "a run takes 20.0 ms on one thread of 4 cores" in text
    assert '@edge_function(optimize="latency") lets classify run on more of them' in text


@pytest.mark.parametrize(
    "changed",
    [
        {"cores": 1.9},
        {"threads": 2},
        {"links": (_changed(SERVING, latency_s=WORTH_S / 2),)},
        {"links": (_changed(SERVING, latency_s=None),)},
        {"links": (_changed(SERVING, state="ready"),)},
        {"spec": msgspec.structs.replace(SPEC, threads=1)},
        {"spec": msgspec.structs.replace(SPEC, optimize="latency")},
    ],
)
def test_no_more_threads(changed: dict[str, Any]) -> None:
    """No core to spare, threads already, a run too short or not timed, or what the function itself asks for."""
    assert advice(_facts(**({"cores": 4} | changed))) == []


def test_the_slowest_model_counts() -> None:
    """Of what serves: one that is only ready has no part in it."""
    models = [_changed(SERVING, model="b", latency_s=0.2), _changed(SERVING, model="c", latency_s=9.0, state="ready")]
    assert "a run takes 200.0 ms" in _said(_facts(SERVING, *models, cores=2), "threads")


def test_batching() -> None:
    """For each model that runs its calls alone; concurrency is advised along, where the function has none."""
    text = _said(_facts(batching={"net": None}), "batch")
    assert "each call of net runs alone" in text
    assert "@edge_model(batch=8) with @edge_function(concurrency=16) lets the box run them as one batch" in text
    concurrent = msgspec.structs.replace(SPEC, concurrency=4)
    assert "concurrency=16" not in _said(_facts(batching={"net": None}, spec=concurrent), "batch")


def test_no_batching() -> None:
    """Not where latency is what counts, nor before anything was timed."""
    quick = msgspec.structs.replace(SPEC, optimize="latency")
    assert advice(_facts(batching={"net": None}, spec=quick)) == []
    assert advice(_facts(_changed(SERVING, latency_s=None), batching={"net": None})) == []


def test_what_costs_least_comes_first() -> None:
    """A command on the box, a bound, a build, an option, another way to be called."""
    found = advice(
        _facts(SERVING, NEAR, refusals=[LACKING], targets=("a/fp32",), cores=4, batching={"net": None}),
    )
    assert [one.rule for one in found] == ["install", "accuracy", "build", "threads", "batch"]
