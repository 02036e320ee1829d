"""A model's network in eager PyTorch: what its builder returns, and the session that runs it.

This is the reference that every artifact is held against. How a network is called and its outputs are named is of
`arguments` and `results`; what is changed in it before, of `conversion`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from edgefn.compile.author import boundary
from edgefn.compile.author.usercode import blaming
from edgefn.compile.capture import arguments, conversion, results
from edgefn.compile.files.opening import opened
from edgefn.spec import ModelSpec

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from edgefn.session import Arrays

SEED = 0
"""Builders that draw weights or train get the same numbers every time: same sources, same bundle."""


class EagerSession:
    """Runs a model by PyTorch. The network is built at the first use, then kept."""

    def __init__(self, builder: Callable[[], Any], spec: ModelSpec) -> None:
        self._builder = builder
        self.spec = spec
        self._notes: dict[str, None] = {}

    @cached_property
    def network(self) -> torch.nn.Module:
        """Build the network, or open the file that the builder names, and make it ready.

        Raises BuildError if the builder returns neither.
        """
        import torch

        # A builder may train, whatever mode its caller is in.
        with boundary.building(self.spec.name), seeded(), torch.inference_mode(False), torch.enable_grad():
            built = blaming(f"the builder of model {self.spec.name}", self._builder)
            network = opened(built, self._builder, self.spec)
            if network is built:
                network, notes = conversion.prepared(network, self.spec.name)
                self._notes.update(dict.fromkeys(notes))
        return network

    @property
    def notes(self) -> tuple[str, ...]:
        """Return the report's notes on the network, as it was built and run so far."""
        return tuple(self._notes)

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Run the network on `inputs`, and return its outputs as fresh arrays by name."""
        import numpy as np
        import torch

        # A copy: torch wants writable memory, and a network may write into its input.
        tensors = [torch.from_numpy(np.array(inputs[name], order="C")) for name in self.spec.inputs]
        with boundary.building(self.spec.name), torch.inference_mode(), without_fast_path():
            result = arguments.call(self.network, self.spec, tensors)
            outputs = results.named_outputs(result, self.spec)
        for name in results.left_out(result):
            self._notes[f"output {name} is a cache and is left out: build the network with use_cache=False"] = None
        return {name: np.array(tensor.detach().numpy(), order="C") for name, tensor in outputs.items()}


@contextmanager
def without_fast_path() -> Iterator[None]:
    """Disable the fast path of torch.nn.TransformerEncoder and MultiheadAttention within the block.

    They then compute as they are written, for any mask. The fast path drops padded positions: its output is as long as
    the longest row, and zero where a row is shorter.
    """
    import torch

    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def seeded() -> Iterator[None]:
    """Seed all random numbers with SEED within the block, and restore everyone's generators afterwards."""
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


@contextmanager
def one_thread() -> Iterator[None]:
    """Run PyTorch on one thread within the block.

    The order of a sum, and so its last bits, do not depend on the number of cores then.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
