"""int8 by NNCF: ranges from the calibration inputs, bias corrected layer by layer, the costliest layers in float.

The method is NNCF's post-training quantisation (https://docs.openvino.ai, "Basic Quantization Flow"). Weights have a
scale for each channel. Where pairs of products saturate, weights take 7 of their 8 bits ("overflow fix").
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from edgefn.backends.openvino import mixing
from edgefn.backends.openvino.library import import_nncf
from edgefn.errors import BuildError

if TYPE_CHECKING:
    from edgefn.backends.backend import Captured
    from edgefn.golden import GoldenSample
    from edgefn.targets.profiles import Target

VALIDATION_SHARE = 4
"""Every fourth calibration input is kept aside, to tell which layers cost most."""

LEAST_SAMPLES = 8
QUICK_SAMPLES = 24


def quantized(captured: Captured, target: Target, model: Any, *, saturates: bool) -> tuple[Any, tuple[str, ...]]:
    """`model` with int8 operators, and the layers that stayed in float."""
    name = f"{target} of model {captured.model.name}"
    samples = captured.calibration
    if not samples:
        raise BuildError(
            f"{name} needs real inputs to take its ranges from, and there are none: write "
            '@edge_model(calibration="calibration/*.jpg"), inputs that are not among `samples`'
        )
    ranges = [one for place, one in enumerate(samples) if place % VALIDATION_SHARE or len(samples) < LEAST_SAMPLES]
    judges = [one for place, one in enumerate(samples) if place % VALIDATION_SHARE == 0]
    if captured.quantize.method == "dynamic":
        return import_nncf().compress_weights(model), ()
    keep = frozenset(one for one in mixing.layers(model) if any(part in one for part in captured.quantize.keep))

    def quantize(kept: frozenset[str], *, thorough: bool) -> Any:
        some = ranges if thorough else ranges[:QUICK_SAMPLES]
        return _quantize(model, captured, some, keep | kept, saturates=saturates, thorough=thorough)

    return mixing.search(model, quantize, judges, captured.bound)


def toolchain() -> dict[str, str]:
    """The versions of what quantises."""
    return {"nncf": version("nncf")}


def _quantize(
    model: Any,
    captured: Captured,
    samples: Sequence[GoldenSample],
    kept: frozenset[str],
    *,
    saturates: bool,
    thorough: bool,
) -> Any:
    nncf = import_nncf()
    from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

    fix = OverflowFix.ENABLE if saturates else OverflowFix.DISABLE
    inputs = [dict(sample.inputs) for sample in samples]
    return nncf.quantize(
        model.clone(),
        nncf.Dataset(inputs),
        subset_size=len(inputs),
        preset=nncf.QuantizationPreset.PERFORMANCE,
        fast_bias_correction=False,
        model_type=nncf.ModelType.TRANSFORMER if mixing.attends(model) else None,
        ignored_scope=nncf.IgnoredScope(names=sorted(kept)) if kept else None,
        advanced_parameters=AdvancedQuantizationParameters(overflow_fix=fix, disable_bias_correction=not thorough),
    )
