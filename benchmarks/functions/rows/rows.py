"""A small transformer encoder and an LSTM, each of which reads a scan of a digit row by row; trained at build."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgefn import edge_function, edge_model, tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray


def _scans(first: int, step: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    from sklearn.datasets import load_digits

    scans = load_digits().images.astype(np.float32) / 16
    return ({"rows": scan[np.newaxis]} for scan in scans[first::step])


def samples() -> Iterator[dict[str, NDArray[np.float32]]]:
    """Scans that it is not trained on."""
    return _scans(0, 100)


def calibration() -> Iterator[dict[str, NDArray[np.float32]]]:
    """Others."""
    return _scans(5, 25)


@edge_model(inputs={"rows": tensor("float32", "batch", 8, 8)}, samples=samples, calibration=calibration)
def transformer() -> torch.nn.Module:
    """Two layers, 64 wide, four heads."""
    from network import Encoder, trained

    network: torch.nn.Module = trained(Encoder(), 2e-3)
    return network


@edge_model(inputs={"rows": tensor("float32", "batch", 8, 8)}, samples=samples, calibration=calibration)
def lstm() -> torch.nn.Module:
    """One layer, 64 wide."""
    from network import Reader, trained

    network: torch.nn.Module = trained(Reader(), 5e-3)
    return network


@edge_function(memory="256MiB", timeout="10s")
def rows(rows: list[list[float]]) -> tuple[int, int]:
    """The digit in eight rows of eight pixels, as the encoder and as the LSTM reads it."""
    scan = np.asarray([rows], np.float32)
    return int(transformer(rows=scan).argmax()), int(lstm(rows=scan).argmax())
