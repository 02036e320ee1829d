"""Mixed precision: the layers whose int8 costs most stay in float, as few as the bound allows.

Each layer is given back its float inputs and weights in turn, in a copy of the model that is int8 throughout; what that
brings the outputs nearer to eager's is the layer's cost. The costliest then go first, in growing numbers, until the
inputs that no range was taken from agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from edgefn import golden
from edgefn.backends.openvino.session import Runner, compiled

if TYPE_CHECKING:
    from edgefn.bundle.config import Bound
    from edgefn.golden import Agreement, GoldenSample

WEIGHTED = ("Convolution", "GroupConvolution", "MatMul", "ConvolutionBackpropData", "LSTMSequence", "GRUSequence")
MOST_KEPT = 0.5
"""Of the layers; a model that wants more of them in float is no int8 model."""

SHORTFALL = 0.5
"""What is aimed at lies so far between the bound's agreement and all: the judges are few, and others will come."""

JUDGES = 48


def search(
    model: Any,
    quantize: Callable[[frozenset[str]], Any],
    samples: Sequence[GoldenSample],
    bound: Bound,
) -> tuple[Any, tuple[str, ...]]:
    """The model that `quantize` makes with as few layers kept as it takes to agree on `samples`, and those layers.

    Where none does, the one that agrees best.
    """
    judges = samples[:JUDGES]
    aim = _aim(bound)
    found = quantize(frozenset())
    agreement = _agreement(found, judges, aim)
    best = (agreement, found, frozenset[str]())
    if agreement.passed:
        return found, ()
    costly = [name for name, _ in sorted(_costs(found, judges), key=lambda one: -one[1])]
    for count in _counts(len(costly)):
        kept = frozenset(costly[:count])
        found = quantize(kept)
        agreement = _agreement(found, judges, aim)
        if _better(agreement, best[0]):
            best = (agreement, found, kept)
        if agreement.passed:
            break
    return best[1], tuple(sorted(best[2]))


def layers(model: Any) -> list[str]:
    """The names of the operators with weights, in order."""
    return [one.get_friendly_name() for one in model.get_ordered_ops() if one.get_type_name() in WEIGHTED]


def attends(model: Any) -> bool:
    """Whether there is attention in it: a softmax between products."""
    kinds = [one.get_type_name() for one in model.get_ordered_ops()]
    return "ScaledDotProductAttention" in kinds or ("Softmax" in kinds and kinds.count("MatMul") > 2)


def _counts(layers: int) -> Iterator[int]:
    """2, 4, 7, 11, 17, …: half as many again each time, as each try costs a quantisation."""
    count = 2
    while count <= layers * MOST_KEPT:
        yield count
        count += max(2, count // 2)


def _aim(bound: Bound) -> Bound:
    import msgspec

    if bound.top1 is None:
        return msgspec.structs.replace(bound, max_error=bound.max_error * SHORTFALL)
    return msgspec.structs.replace(bound, top1=bound.top1 + (1 - bound.top1) * SHORTFALL)


def _agreement(model: Any, samples: Sequence[GoldenSample], bound: Bound) -> Agreement:
    return golden.compare(Runner(compiled(model.clone())), samples, bound)


def _better(one: Agreement, other: Agreement) -> bool:
    return (one.passed, one.top1 or 0.0, -one.max_error) > (other.passed, other.top1 or 0.0, -other.max_error)


def _costs(model: Any, samples: Sequence[GoldenSample]) -> Iterator[tuple[str, float]]:
    """By layer, by how much the squared error of all outputs falls when it alone is in float."""
    before = _squares(model, samples)
    for name in layers(model):
        freed = model.clone()
        if _free(next(one for one in freed.get_ordered_ops() if one.get_friendly_name() == name)):
            yield name, before - _squares(freed, samples)


PASSES = ("Pad", "Reshape", "Squeeze", "Transpose", "Unsqueeze")
"""What may lie between a layer and the point where its input is quantised."""


def _free(layer: Any) -> bool:
    """The layer has its inputs as they were before they were quantised; False where none was."""
    freed = False
    for value in layer.inputs():
        node = value.get_source_output().get_node()
        while node.get_type_name() in PASSES:
            value = node.input(0)
            node = value.get_source_output().get_node()
        if node.get_type_name() == "FakeQuantize":
            value.replace_source_output(node.input(0).get_source_output())
            freed = True
    return freed


def _squares(model: Any, samples: Sequence[GoldenSample]) -> float:
    import numpy as np

    session = Runner(compiled(model.clone()))
    total = 0.0
    for sample in samples:
        outputs = session.run(sample.inputs)
        for name, eager in sample.outputs.items():
            difference = outputs[name].astype(np.float64) - eager.astype(np.float64)
            total += float(np.square(difference).sum())
    return total
