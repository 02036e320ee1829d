"""The smallest real model: y = 2x + 1, built by PyTorch and served by the engine of the box."""

from typing import TYPE_CHECKING

import numpy as np

from edgefn import edge_function, edge_model, tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray


def samples() -> "Iterator[dict[str, NDArray[np.float32]]]":
    """A few inputs for the golden samples."""
    for start in range(3):
        yield {"x": np.arange(start, start + 4, dtype=np.float32).reshape(1, 4)}


@edge_model(inputs={"x": tensor("float32", "batch", 4)}, samples=samples)
def doubler() -> "torch.nn.Module":
    """A fully connected layer with known weights."""
    import torch

    network = torch.nn.Linear(4, 4)
    with torch.no_grad():
        network.weight.copy_(2 * torch.eye(4))
        network.bias.fill_(1)
    return network


@edge_function(memory="64MiB", scale=(0, 2))
def linear(x: list[float], digits: int = 3) -> list[float]:
    """2x + 1 of four numbers, rounded to `digits`."""
    return [round(float(number), digits) for number in doubler(x=np.array([x], np.float32))[0]]
