"""The smallest edge function: no model, one number in, one number out."""

from __future__ import annotations

from edgefn import edge_function


@edge_function(memory="64MiB", timeout="1s", idle="30s", scale=(0, 4))
def echo(n: int) -> dict[str, int]:
    """The number after `n`, so that an answer is known to come from the handler."""
    return {"n": n + 1}
