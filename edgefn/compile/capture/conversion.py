"""A builder's network as it is captured and served: on the CPU, in eval mode, without wrappers, bfloat16 as float32.

Owns what is changed in a network before anything runs it, and the notes on that for the report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch


def prepared(network: torch.nn.Module, model: str) -> tuple[torch.nn.Module, list[str]]:
    """Return the network to capture and the changes made in it.

    Raises BuildError for weights without values.
    """
    inner = _unwrapped(network)
    _check_shapes(inner, model)
    _move(inner, model)
    return inner.eval(), _widened(inner)


def _unwrapped(network: torch.nn.Module) -> torch.nn.Module:
    """Return the network inside torch.compile, DataParallel and DistributedDataParallel.

    The forward() of these wrappers hides the network's argument names.
    """
    import torch

    while True:
        inner = getattr(network, "_orig_mod", None)  # of torch.compile
        if isinstance(network, torch.nn.DataParallel | torch.nn.parallel.DistributedDataParallel):
            inner = network.module
        if not isinstance(inner, torch.nn.Module):
            return network
        network = inner


def _check_shapes(network: torch.nn.Module, model: str) -> None:
    """Raise BuildError where a layer has not met an input yet, and so has no weights."""
    from torch.nn.parameter import is_lazy

    waiting = (*network.named_parameters(), *network.named_buffers())
    if lazy := next((name for name, tensor in waiting if is_lazy(tensor)), ""):
        raise BuildError(
            f"model {model}: the weights of {lazy} have no shape yet: load a checkpoint into the lazy layers, or call "
            "the network on an input in the builder"
        )


def _move(network: torch.nn.Module, model: str) -> None:
    devices = {tensor.device.type for tensor in (*network.parameters(), *network.buffers())}
    if "meta" in devices:
        raise BuildError(
            f"model {model}: its weights are on the device meta and have no values; load them in the builder"
        )
    if devices - {"cpu"}:
        network.cpu()


def _widened(network: torch.nn.Module) -> list[str]:
    """Make the bfloat16 tensors of `network` float32, which holds the same values; return the note on it."""
    import torch

    count = sum(tensor.dtype == torch.bfloat16 for tensor in (*network.parameters(), *network.buffers()))
    if not count:
        return []
    apply: Any = network._apply
    apply(lambda tensor: tensor.float() if tensor.dtype == torch.bfloat16 else tensor)
    return [f"{count} tensors of bfloat16 became float32: the reference and every artifact compute in float32"]
