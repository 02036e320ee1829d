"""What needs no tolerance: an answer's names, dtypes and shapes, and where it holds NaN or infinity. PURE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.accuracy.rules import Judging, OutputRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Outputs = Mapping[str, NDArray[Any]]


def mismatch(outputs: Outputs, wanted: Outputs, judging: Judging) -> str:
    """Return how the outputs' names, dtypes, shapes, NaN or infinity differ from those wanted, or nothing."""
    for name, eager in wanted.items():
        if name not in outputs:
            return f"output {name!r} is missing"
        given = outputs[name]
        if (given.dtype, given.shape) != (eager.dtype, eager.shape):
            return f"output {name!r} is {given.dtype}{given.shape}, eager {eager.dtype}{eager.shape}"
        if not np.issubdtype(eager.dtype, np.floating):
            continue
        if np.isnan(given).any() and not np.isnan(eager).any():
            return f"output {name!r} holds NaN where eager has numbers"
        measured = judging.outputs.get(name, OutputRule()).masks.of(eager) == 0
        if (np.isinf(given) & np.isfinite(eager) & measured).any():
            return f"output {name!r} holds infinity where eager has a number"
        if (np.isinf(eager) & (given != eager) & measured).any():
            return f"output {name!r} holds another value where eager has infinity"
        if np.isnan(eager).any():
            return f"the eager output {name!r} holds NaN"
    return ""
