"""Mixed precision: the layers whose int8 costs most stay in float, as few as the bound allows.

Layers are taken in blocks that follow each other. Each block is left in float in turn, by a quick quantisation of all
others; what that brings the outputs nearer to eager's is the block's cost. The costliest then stay in float, one block
more each time, until the inputs that no range was taken from agree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

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

BLOCKS = 16
"""Each costs a quick quantisation and a run of the judges."""


class Quantizer(Protocol):
    """Makes the int8 model with the layers of some names in float; a quick one does without correcting biases."""

    def __call__(self, kept: frozenset[str], *, thorough: bool) -> Any: ...


def search(
    model: Any, quantize: Quantizer, samples: Sequence[GoldenSample], bound: Bound
) -> tuple[Any, tuple[str, ...]]:
    """The model that `quantize` makes with as few layers kept as it takes to agree on `samples`, and those layers.

    Where none does, the one that agrees best.
    """
    judges, aim = samples[:JUDGES], _aim(bound)
    found = quantize(frozenset(), thorough=True)
    best = (_agreement(found, judges, aim), found, frozenset[str]())
    kept: set[str] = set()
    blocks = [] if best[0].passed else _costliest(model, quantize, judges)
    for block in blocks:
        kept |= set(block)
        found = quantize(frozenset(kept), thorough=True)
        agreement = _agreement(found, judges, aim)
        if _better(agreement, best[0]):
            best = (agreement, found, frozenset(kept))
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


def _costliest(model: Any, quantize: Quantizer, samples: Sequence[GoldenSample]) -> list[list[str]]:
    """The blocks of layers that cost anything, the costliest first; no more of them than MOST_KEPT of the layers."""
    names = layers(model)
    size = max(1, -(-len(names) // BLOCKS))
    blocks = [names[start : start + size] for start in range(0, len(names), size)]
    before = _squares(quantize(frozenset(), thorough=False), samples)
    costs = [before - _squares(quantize(frozenset(block), thorough=False), samples) for block in blocks]
    order = sorted(range(len(blocks)), key=lambda number: -costs[number])
    return [blocks[number] for number in order if costs[number] > 0][: int(len(blocks) * MOST_KEPT)]


def _aim(bound: Bound) -> Bound:
    import msgspec

    if bound.top1 is None:
        return msgspec.structs.replace(bound, max_error=bound.max_error * SHORTFALL)
    return msgspec.structs.replace(bound, top1=bound.top1 + (1 - bound.top1) * SHORTFALL)


def _agreement(model: Any, samples: Sequence[GoldenSample], bound: Bound) -> Agreement:
    return golden.compare(Runner(compiled(model.clone())), samples, bound)


def _better(one: Agreement, other: Agreement) -> bool:
    return (one.passed, one.top1 or 0.0, -one.max_error) > (other.passed, other.top1 or 0.0, -other.max_error)


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
