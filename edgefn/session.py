"""The one signature of whatever runs a model: an artifact's engine, eager PyTorch, a session around another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[np.generic]]


class Session(Protocol):
    """A loaded artifact. Inputs and outputs are C-contiguous arrays by name; outputs are owned by the caller."""

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]: ...
