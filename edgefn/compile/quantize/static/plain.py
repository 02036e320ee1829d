"""Plain static int8, as ONNX Runtime's documentation has it: ranges from minimum and maximum, the nearest integers.

What ours is held against: where it misses, this one is tried, so that nobody is better off without ours. Owns what the
quantiser is asked for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn.backends.onnxruntime import import_onnxruntime
from edgefn.compile.quantize.static.qdq import quiet

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    Inputs = Mapping[str, NDArray[Any]]

LEFT = ("ConvTranspose",)
"""Operators that its quantiser makes int8 of and ONNX Runtime's CPU then runs in float."""


def written(
    model: onnx.ModelProto, inputs: Sequence[Inputs], kept: Sequence[str] = (), *, seven_bits: bool
) -> onnx.ModelProto:
    """Quantise `model`, already prepared, to int8 as far as ONNX Runtime can, except the nodes named in `kept`.

    Nodes with an operator in `LEFT` stay in float, too.
    """
    import onnx

    import_onnxruntime()
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    with tempfile.TemporaryDirectory(prefix="edgefn-plain-") as scratch, quiet():
        source, path = Path(scratch) / "float.onnx", Path(scratch) / "model.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            path,
            _reader(inputs),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=seven_bits,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*kept, *(node.name for node in model.graph.node if node.op_type in LEFT)],
        )
        result = onnx.load(path)
    result.producer_name = result.producer_version = ""
    del result.metadata_props[:]
    return result


def _reader(inputs: Sequence[Inputs]) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    class Reader(CalibrationDataReader):  # type: ignore[misc]  # it has no types
        def __init__(self) -> None:
            self._left: Iterator[Inputs] = iter(inputs)

        def get_next(self) -> dict[str, Any] | None:
            found = next(self._left, None)
            return None if found is None else dict(found)

    return Reader()
