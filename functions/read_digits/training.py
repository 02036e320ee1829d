"""How the network of `read_digits` is trained. Runs where the bundle is built, never on a box."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

HELD_OUT = 449
"""A quarter of the scans, never trained on."""

BATCH = 32
DARKEST = 16
"""The scans' own scale: 0 is paper, 16 is ink."""


def scans(*, held_out: bool) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The scans, float32 [n, 1, 8, 8] from 0 to 1, and their digits: those held out, or those to train on."""
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    chosen = order[:HELD_OUT] if held_out else order[HELD_OUT:]
    images = (data.images[chosen, np.newaxis] / DARKEST).astype(np.float32)
    return images, data.target[chosen].astype(np.int64)


def trained(epochs: int) -> torch.nn.Module:
    """A network trained on the scans that are not held out; the same for the same seed of PyTorch."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a network is slower on two, ten times so on a busy machine
    try:
        network = _network()
        _train(network, epochs)
    finally:
        torch.set_num_threads(threads)
    return network


def _train(network: torch.nn.Module, epochs: int) -> None:
    import torch

    images, digits = (torch.from_numpy(array) for array in scans(held_out=False))
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        order = torch.randperm(len(digits))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            optimizer.zero_grad()
            torch.autograd.backward(torch.nn.functional.cross_entropy(network(images[batch]), digits[batch]))
            optimizer.step()
        schedule.step()


def _network() -> torch.nn.Module:
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(32 * 4 * 4, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )
