"""Eight calls at once in one instance, whose model runs them as one: y = 2x + 1, which is exact in any order."""

from typing import TYPE_CHECKING

import numpy as np

from edgefn import edge_function, edge_model, tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

WIDTH = 1024


def samples() -> "Iterator[dict[str, NDArray[np.float32]]]":
    """A few inputs for the golden samples."""
    for start in range(3):
        yield {"x": np.arange(start, start + WIDTH, dtype=np.float32).reshape(1, WIDTH)}


@edge_model(inputs={"x": tensor("float32", "batch", WIDTH)}, samples=samples, batch=8, batch_wait="2ms")
def doubler() -> "torch.nn.Module":
    """A fully connected layer with known weights, large enough that reading them is the work."""
    import torch

    network = torch.nn.Linear(WIDTH, WIDTH)
    with torch.no_grad():
        network.weight.copy_(2 * torch.eye(WIDTH))
        network.bias.fill_(1)
    return network


@edge_function(memory="128MiB", timeout="30s", scale=(0, 1), concurrency=8)
def gathers(start: int) -> list[float]:
    """2x + 1 of the numbers from `start` on: the first, and the last."""
    y = doubler(x=np.arange(start, start + WIDTH, dtype=np.float32).reshape(1, WIDTH))
    return [float(y[0, 0]), float(y[0, -1])]
