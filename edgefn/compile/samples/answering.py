"""Eager PyTorch's answers to inputs that are made of a model's samples, and how exact its answers are.

What eager does not run, or answers with NaN, is no pair: the network is not for such inputs.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.accuracy.measures import ordering
from edgefn.compile.author import blame
from edgefn.compile.capture.arguments import call
from edgefn.compile.capture.eager import one_thread, without_fast_path
from edgefn.compile.capture.results import named_outputs
from edgefn.compile.samples import trials
from edgefn.golden import GoldenSample
from edgefn.spec import ModelSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.accuracy.rules import RowOrder
    from edgefn.compile.capture.eager import EagerSession

SOURCES = 3
"""Samples that inputs of other sizes are made of, in turn."""


def sizes(
    session: EagerSession,
    spec: ModelSpec,
    samples: Sequence[GoldenSample],
    telling: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> tuple[list[GoldenSample], dict[str, str]]:
    """Return pairs at other sizes that `spec` allows, and the sizes that eager does not run at, with why.

    `telling` are lengths to try before others, by word.
    """
    made: list[GoldenSample] = []
    refused: dict[str, str] = {}
    with one_thread():
        for number, wanted in enumerate(trials.other_sizes(spec, samples, telling)):
            inputs = trials.resized(spec, samples, number % min(SOURCES, len(samples)), wanted)
            if inputs is None:
                continue
            try:
                made.append(_answered(session, inputs))
            except Exception as error:  # whatever the network raises at a size that it is not for
                refused[", ".join(f"{word}={length}" for word, length in wanted.items())] = blame.first_line(error)
    return made, refused


def stress(session: EagerSession, samples: Sequence[GoldenSample]) -> list[GoldenSample]:
    """Return pairs of inputs that are made of samples at their own sizes."""
    made: list[GoldenSample] = []
    with one_thread():
        for inputs in trials.stressed(samples):
            try:
                made.append(_answered(session, inputs))
            except Exception:  # an input of no meaning, as a mixture of two texts
                continue
    return made


NEAR = 1e-4
"""Scores this near, by the largest, may change places between float32 and float64."""


class NotANumber(ValueError):
    """Eager answers with NaN, so nothing can be held against it."""


def _answered(session: EagerSession, inputs: Mapping[str, NDArray[Any]]) -> GoldenSample:
    outputs = session.run(inputs)
    for name, array in outputs.items():
        if np.issubdtype(array.dtype, np.floating) and np.isnan(array).any():
            raise NotANumber(f"output {name!r} holds NaN")
    return GoldenSample(inputs, outputs)


def residuals(session: EagerSession, samples: Sequence[GoldenSample]) -> list[GoldenSample]:
    """Return, as outputs, how far eager in float64 is from eager in float32.

    There are none where eager does not run in float64.
    """
    import torch

    try:
        network = copy.deepcopy(session.network).double()
        with torch.inference_mode(), one_thread(), without_fast_path():
            orders = ordering.found([sample.outputs for sample in samples])
            return [_residual(network, session, sample, orders) for sample in samples]
    except Exception:  # constants of float32 in forward(), a network that does not copy, an engine that is no PyTorch
        return []


def _residual(network: Any, session: EagerSession, sample: GoldenSample, orders: Sequence[RowOrder]) -> GoldenSample:
    import torch

    tensors = [torch.from_numpy(np.array(sample.inputs[name], order="C")) for name in session.spec.inputs]
    wide = [tensor.double() if tensor.is_floating_point() else tensor for tensor in tensors]
    exact = {
        name: tensor.numpy() for name, tensor in named_outputs(call(network, session.spec, wide), session.spec).items()
    }
    near = {one.scores: NEAR * float(np.abs(sample.outputs[one.scores]).max(initial=0.0)) for one in orders}
    exact = dict(ordering.aligned(exact, sample.outputs, orders, near))
    return GoldenSample(
        {},
        {
            name: (np.asarray(array, np.float64) - np.asarray(sample.outputs[name], np.float64)).astype(np.float32)
            for name, array in exact.items()
            if np.issubdtype(array.dtype, np.floating)
        },
    )
