"""The samples of a function that a bundle carries to the boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgefn.bundle.oci.layout import Bundle


def travelling(bundle: Bundle) -> str:
    """Return a line on the samples in `bundle`; empty for a function without a model."""
    from edgefn.bundle.config import GOLDEN_TYPE, REQUESTS_TYPE
    from edgefn.text.quantities import format_bytes

    config = bundle.config
    if not config.models:
        return ""
    if not config.function.golden_inputs:
        return "the bundle holds no samples (golden_inputs=False): boxes verify neither artifacts nor answers"
    sizes = {layer.media_type: layer.size for layer in bundle.layers}
    tensors = sum(entry.golden for entry in config.models)
    golden = f"the tensors of {tensors} golden samples ({format_bytes(sizes.get(GOLDEN_TYPE, 0))})"
    requests = f"{config.requests} requests of samples/ ({format_bytes(sizes.get(REQUESTS_TYPE, 0))}) and "
    both = f"{requests if config.requests else ''}{golden}"
    return f"the bundle holds {both} as golden inputs: leave them out with @edge_function(golden_inputs=False)"
