"""ResNet-50 (He et al., 2016) at 224×224, random weights, its classifier fitted to tell twelve photos apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgefn import edge_function, edge_model, tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray


def samples() -> Iterator[dict[str, NDArray[np.float32]]]:
    """Two crops of each photo."""
    from photos import crops

    return ({"pixels": pixels} for pixels, _ in crops(2, seed=1))


def calibration() -> Iterator[dict[str, NDArray[np.float32]]]:
    """Four others."""
    from photos import crops

    return ({"pixels": pixels} for pixels, _ in crops(4, seed=2))


@edge_model(inputs={"pixels": tensor("float32", "batch", 3, 224, 224)}, samples=samples, calibration=calibration)
def resnet() -> torch.nn.Module:
    """The network; its last layer is a ridge regression on the features of six crops of each photo."""
    from network import fitted

    network: torch.nn.Module = fitted()
    return network


@edge_function(memory="512MiB", timeout="10s")
def resnet50(seed: int) -> int:
    """The photo that noise looks like most."""
    noise = np.random.default_rng(seed).standard_normal((1, 3, 224, 224)).astype(np.float32)
    return int(resnet(pixels=noise).argmax())
