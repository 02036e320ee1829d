"""Random weights made to behave as trained ones. Copied beside each function of the list, whose builder calls it.

Fresh networks ignore much of what goes in: zero weights switch branches off, layer scales of 1e-6 too, and batch norms
have the statistics of nothing. What ignores its input proves nothing of what was built from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

Norms = nn.modules.batchnorm._BatchNorm
SMALL = 0.05
LEAST = 0.5
"""Least variance of a channel, by the mean of its layer."""


def settled(network: nn.Module, files: Sequence[Path]) -> nn.Module:
    """Settle `network` on the inputs in `files`, .npz of them in the order of forward()."""
    return settle(network, [_read(path) for path in files])


def settle(network: nn.Module, inputs: Sequence[Sequence[torch.Tensor]]) -> nn.Module:
    """Spread out constant parameters, take the batch norms' statistics from `inputs`, and return the network."""
    network.eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.is_floating_point() and parameter.numel() > 1 and parameter.max() == parameter.min():
                _spread(parameter)
        norms = [module for module in network.modules() if isinstance(module, Norms)]
        if norms:
            _observe(network, norms, inputs)
    return network.eval()


def _spread(parameter: torch.Tensor) -> None:
    value = abs(float(parameter.flatten()[0]))
    if 0 < value < SMALL:
        parameter.fill_(0.3)
    parameter.add_(torch.randn_like(parameter) * (0.1 if value else SMALL))


def _observe(network: nn.Module, norms: Sequence[Any], inputs: Sequence[Sequence[torch.Tensor]]) -> None:
    for norm in norms:
        norm.momentum = None
        norm.reset_running_stats()
    hooks = [norm.register_forward_pre_hook(_watch) for norm in norms]
    try:
        network(*(torch.cat(of) for of in zip(*inputs, strict=True)))
    except RuntimeError:  # inputs without a batch, one by one
        for one in inputs:
            network(*one)
    finally:
        for hook in hooks:
            hook.remove()
    for norm in norms:
        # A channel that hardly moves would have its noise blown up, layer by layer.
        norm.running_var.clamp_(min=LEAST * float(norm.running_var.mean()))


def _watch(norm: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
    """Let `norm` take statistics of what comes in, unless that is one number a channel, which has none."""
    norm.train(given[0].numel() > given[0].shape[1])


def _read(path: Path) -> list[torch.Tensor]:
    with np.load(path) as arrays:
        return [torch.from_numpy(arrays[name]) for name in arrays.files]
