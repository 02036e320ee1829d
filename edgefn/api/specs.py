"""A deployed function as its author declared it."""

from __future__ import annotations

from typing import Any

import msgspec

from edgefn.spec import FunctionSpec


class DeployedSpec(FunctionSpec, frozen=True, forbid_unknown_fields=False):
    """A function's spec as a box tells it: a newer box may tell of options and kinds that the reader does not know."""

    # Wider than FunctionSpec's own types, which a type checker forbids: a reader must take words that it has not.
    entry: str = ""
    parameters: tuple[dict[str, Any], ...] = ()  # type: ignore[assignment]
    result: dict[str, Any] = msgspec.field(default_factory=dict)  # type: ignore[assignment]
    optimize: str = "throughput"  # type: ignore[assignment]
    unknown_query: str = "refuse"  # type: ignore[assignment]
