"""What PyTorch leaves open, or what no network that answers has: not screened, each with the reason."""

from __future__ import annotations

from fnmatch import fnmatch

LEFT_OUT = {
    "topk": "which of equal numbers comes first is left open; their values are screened as sort's",
    "argsort": "which of equal numbers comes first is left open",
    "sort": "which of equal numbers comes first is left open",
    "kthvalue": "which of equal numbers it is is left open; its values are screened as sort's",
    "msort": "which of equal numbers comes first is left open",
    "empty*": "what is in it is left open",
    "new_empty*": "what is in it is left open",
    "resize_*": "what is in what is added is left open",
    "nn.functional.*loss*": "for training",
    "nn.functional.*cross_entropy*": "for training",
    "*_backward*": "for training",
    "*dropout*": "for training",
    "*batch_norm_legit*": "an operator inside of batch_norm",
    "native_batch_norm": "an operator inside of batch_norm",
    "_*": "not public",
    "jiterator*": "of CUDA",
    "*triton*": "of CUDA",
    "sparse.*": "of sparse tensors",
    "to_sparse": "of sparse tensors",
    "nn.functional.tanhshrink": "x - tanh(x) of a small x is rounding alone",
    "special.*": "not yet",
    "linalg.*": "ONNX has next to none of them: refused",
}


def reason(name: str) -> str:
    """Return why an operator is not screened; "" where it is."""
    return next((why for pattern, why in LEFT_OUT.items() if fnmatch(name, pattern)), "")
