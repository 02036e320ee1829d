"""`Quantize`: how a model becomes an int8 artifact, as `@edge_model(quantize=...)` says it. Data alone."""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from edgefn.accuracy.bound import Bound, check_bound
from edgefn.errors import SpecError
from edgefn.text.suggestion import did_you_mean

Method = Literal["auto", "static", "dynamic"]


class Quantize(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How int8 artifacts are made. They are made when a target asks for them; the defaults suit most models.

    bound     how far they may be from the eager float32 outputs, beside the model's `accuracy`; None: no further
    method    "static" has activations' ranges from the calibration inputs, "dynamic" takes them in each run (linear
              layers alone are quantised); "auto" is dynamic for models whose weights are in matrix products
    keep      layers that stay in float, by a part of their ONNX node's name
    min_share least share of the network's multiplications that an int8 artifact does in eight bits; with less it is
              dropped, and the figures are told
    epochs    of quantisation-aware fine-tuning on the calibration inputs, the float model as teacher; 0: none
    sparsity  share of each prunable layer's channels that is removed before fine-tuning; 0: none
    """

    bound: Bound | None = None
    method: Method = "auto"
    keep: tuple[str, ...] = ()
    epochs: int = 0
    sparsity: float = 0.0
    min_share: float = 0.5


def read_quantize(quantize: object, where: str) -> Quantize:
    """Read `quantize=`. Raise SpecError that begins with `where` for an invalid option."""
    if quantize is None:
        return Quantize()
    if not isinstance(quantize, Quantize):
        raise SpecError(f"{where}: quantize is {quantize!r}: write Quantize(...)")
    where = f"{where}: quantize"
    if isinstance(quantize.bound, Bound):
        check_bound(quantize.bound, where)
    elif quantize.bound is not None:
        raise SpecError(f"{where}: bound is {quantize.bound!r}: write a Bound, e.g. Bound(0.5, 0.93), or None")
    if quantize.method not in get_args(Method):
        meant = did_you_mean(str(quantize.method), get_args(Method))
        raise SpecError(f"{where}: method is {quantize.method!r}{meant}")
    if not isinstance(quantize.keep, tuple | list) or not all(one and isinstance(one, str) for one in quantize.keep):
        raise SpecError(f'{where}: keep is {quantize.keep!r}: write a tuple of parts of layers\' names, e.g. ("head",)')
    if not isinstance(quantize.epochs, int) or isinstance(quantize.epochs, bool) or quantize.epochs < 0:
        raise SpecError(f"{where}: epochs is {quantize.epochs!r}: write a whole number, 0 for no fine-tuning")
    if not isinstance(quantize.sparsity, int | float) or not 0 <= quantize.sparsity < 1:
        raise SpecError(f"{where}: sparsity is {quantize.sparsity!r}: write a share of 0 or more and below 1, e.g. 0.3")
    if not isinstance(quantize.min_share, int | float) or not 0 <= quantize.min_share <= 1:
        raise SpecError(f"{where}: min_share is {quantize.min_share!r}: write a share from 0 to 1, e.g. 0.5")
    return quantize
