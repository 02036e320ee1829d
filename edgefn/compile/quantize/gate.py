"""What an artifact must show before it may be called int8, and any artifact before it is called right.

Each refusal is a GateError with the figures: `lower` raises it, the build drops the artifact and goes on with others.
Counts are taken twice: in the file, and of what the engine makes of it, because quantisers have returned float files
and engines have turned integer operators back without a word.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edgefn.errors import GateError

if TYPE_CHECKING:
    import onnx

    from edgefn.accuracy.verdict import Agreement
    from edgefn.compile.quantize.graph.costs import Share

FILE_OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
"""What counts as quantised in a file when its weights come through DequantizeLinear."""

INTEGER_OPERATORS = frozenset(
    {
        *("QLinearConv", "ConvInteger", "QGemm", "QLinearMatMul", "MatMulInteger", "MatMulIntegerToFloat"),
        *("DynamicQuantizeMatMul", "DynamicQuantizeLSTM", "QAttention", "NhwcQLinearConv"),
    }
)
"""Operators of ONNX and ONNX Runtime that multiply in eight bits."""


def in_file(model: onnx.ModelProto) -> dict[str, int]:
    """Count the operators of `model` that multiply eight-bit weights, by type."""
    constants = {tensor.name for tensor in model.graph.initializer}
    weights = {
        node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear" and node.input[0] in constants
    }
    return dict(
        Counter(
            node.op_type
            for node in model.graph.node
            if node.op_type in INTEGER_OPERATORS
            or (node.op_type in FILE_OPERATORS and len(node.input) > 1 and node.input[1] in weights)
        )
    )


def in_engine(path: Path, entries: Mapping[str, str]) -> dict[str, int]:
    """Count the operators that multiply in eight bits after ONNX Runtime has optimised the file, by type."""
    import onnx

    from edgefn.backends.onnxruntime.session import open_session, session_options

    with tempfile.TemporaryDirectory(prefix="edgefn-gate-") as scratch:
        options = session_options(dict(entries))
        options.optimized_model_filepath = str(Path(scratch) / "optimised.onnx")
        open_session(path, options)
        nodes = onnx.load(options.optimized_model_filepath, load_external_data=False).graph.node
    return dict(Counter(node.op_type for node in nodes if node.op_type in INTEGER_OPERATORS))


def integers(counted: Mapping[str, int], run: Mapping[str, int]) -> str:
    """Return why the file is not int8 in this engine, or an empty string if it is.

    `counted` are the quantised operators of the file, by type; `run` are those that the engine runs in eight bits.
    """
    wanted, got = sum(counted.values()), sum(run.values())
    if got < wanted:
        return (
            f"it has {wanted} quantised operators ({_listed(counted)}) and the engine runs {got} of them in eight bits "
            f"({_listed(run) or 'none'}): the others would be slower than float"
        )
    return ""


def share(found: Share, least: float) -> str:
    """Return why a file with the share `found` in eight bits is not called int8; empty if it is."""
    if not found.operations:
        return "none of its operators is quantised: it would be a float artifact under another name"
    if found.operations >= least:
        return ""
    return (
        f"{found.operations:.0%} of its multiplications and {found.weights:.0%} of its weights are in eight bits, and "
        f"under {least:.0%} of the multiplications it is not called int8"
    )


def opset(model: onnx.ModelProto, wanted: int, limits: tuple[int, ...], name: str) -> int:
    """Return the opset in the file.

    Raises GateError unless the opset is `wanted` and the target reads it: it must lie within `limits`, if there are
    any.
    """
    got = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 0)
    if got != wanted:
        raise GateError(f"{name} was to have ONNX opset {wanted} and its file has {got}")
    if limits and not limits[0] <= got <= limits[-1]:
        raise GateError(f"{name} has ONNX opset {got}, and the target reads {limits[0]} to {limits[-1]}")
    return got


class FailedAttempt(NamedTuple):
    """A failed attempt: the reason, and how near its outputs came, where they could be judged."""

    recipe: str
    reason: str
    agreement: Agreement | None = None


def refusal(tried: Sequence[FailedAttempt], name: str) -> GateError:
    """Make the error, with the figures, for an artifact that no attempt made right and int8."""
    recipes = "; ".join(dict.fromkeys(one.recipe for one in tried))
    judged = [(one.agreement, one) for one in tried if one.agreement is not None]
    if not judged:
        return GateError(
            f"{name} is not made int8: {tried[0].reason} (tried: {recipes}); leave the target out, name fewer layers "
            "in Quantize(keep=...), or set a smaller Quantize(min_share=...)"
        )
    agreement, nearest = min(judged, key=lambda one: one[0].error)
    return GateError(
        f"{name} is not near enough on {agreement.samples} inputs that it was not calibrated with: "
        f"{nearest.reason} ({agreement}); tried: {recipes}; {nearest.recipe} came nearest. More calibration "
        'inputs, Quantize(epochs=...) or accuracy=Accuracy(error={"int8": ...}) may help; the other targets are built'
    )


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
