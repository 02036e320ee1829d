"""A model's network in eager PyTorch: what its builder returns, and the session that runs it.

This is the reference that every artifact is held against. Owns how a network is called (by name or in order) and
how its outputs are named; never changes the network.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from edgefn.compile.files.opening import opened
from edgefn.compile.usercode import blaming
from edgefn.errors import BuildError
from edgefn.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from edgefn.backends.backend import Arrays

SEED = 0
"""Builders that draw weights or train get the same numbers every time: same sources, same bundle."""


class EagerSession:
    """Runs a model by PyTorch. The network is built at the first use, then kept."""

    def __init__(self, builder: Callable[[], Any], spec: ModelSpec) -> None:
        self._builder = builder
        self.spec = spec

    @cached_property
    def network(self) -> torch.nn.Module:
        """What the builder returns, or the file that it names, in eval mode. Raises BuildError when that is none."""
        import torch

        # A builder may train, whatever mode its caller is in.
        with seeded(), torch.inference_mode(False), torch.enable_grad():
            network = blaming(f"the builder of model {self.spec.name}", self._builder)
        return opened(network, self._builder, self.spec)

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """The network's outputs for `inputs`, as fresh arrays by name."""
        import numpy as np
        import torch

        # A copy: torch wants writable memory, and a network may write into its input.
        tensors = [torch.from_numpy(np.array(inputs[name], order="C")) for name in self.spec.inputs]
        with torch.inference_mode():
            outputs = named_outputs(call(self.network, self.spec, tensors), self.spec)
        return {name: np.array(tensor.numpy(), order="C") for name, tensor in outputs.items()}


@contextmanager
def seeded() -> Iterator[None]:
    """Within, random numbers start from SEED; after, everyone's generators are as they were."""
    import numpy as np
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        random.seed(SEED)
        np.random.seed(SEED)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def call(network: torch.nn.Module, spec: ModelSpec, tensors: Sequence[torch.Tensor]) -> Any:
    """Calls `network` by name when its forward() has all the inputs' names, else in the order of their declaration."""
    parameters = inspect.signature(network.forward).parameters
    if all(name in parameters for name in spec.inputs):
        return network(**dict(zip(spec.inputs, tensors, strict=True)))
    return network(*tensors)


def named_outputs(result: Any, spec: ModelSpec) -> dict[str, torch.Tensor]:
    """A network's result as tensors by name, in order.

    Names come from `outputs=` where declared, else from a dict's keys, else "output" or "output_0", "output_1", …
    Raises BuildError on anything but a tensor, a flat sequence of tensors, or a dict of them.
    """
    import torch

    if isinstance(result, torch.Tensor):
        found: dict[str, Any] = {"output": result}
    elif isinstance(result, Mapping):
        found = {str(name): tensor for name, tensor in result.items()}
    elif isinstance(result, tuple | list):
        fields = getattr(result, "_fields", None) or [f"output_{number}" for number in range(len(result))]
        found = dict(zip(fields, result, strict=True))
    else:
        found = {"output": result}
    _refuse_non_tensors(found, spec)
    return _renamed(found, spec, by_name=isinstance(result, Mapping)) if spec.outputs else found


def _refuse_non_tensors(found: Mapping[str, Any], spec: ModelSpec) -> None:
    import torch

    wrong = {name: type(value).__name__ for name, value in found.items() if not isinstance(value, torch.Tensor)}
    if wrong or not found:
        what = ", ".join(f"{name}: {kind}" for name, kind in wrong.items()) or "nothing"
        raise BuildError(
            f"model {spec.name}: its forward() returned {what}; return a tensor, a tuple of tensors or a dict of them"
        )


def _renamed(found: dict[str, torch.Tensor], spec: ModelSpec, *, by_name: bool) -> dict[str, torch.Tensor]:
    if set(found) == set(spec.outputs):
        return {name: found[name] for name in spec.outputs}
    if by_name or len(found) != len(spec.outputs):
        raise BuildError(
            f"model {spec.name}: outputs= names {', '.join(spec.outputs)}, "
            f"but its forward() returns {', '.join(found)}; declare those, or return as many as are declared"
        )
    return dict(zip(spec.outputs, found.values(), strict=True))


@contextmanager
def one_thread() -> Iterator[None]:
    """Within, PyTorch computes on one thread: a sum's order, and so its last bits, do not depend on the cores."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
