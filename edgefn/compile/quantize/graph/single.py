"""Run one node of an ONNX graph, whatever its operator: by ONNX Runtime, or by ONNX's reference where that has none.

Owns the sessions, one for each node and the types of its inputs. Subgraphs (If, Loop, Scan) are part of the node: what
they read of the graph around them is among its inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgefn.backends.onnxruntime import PROVIDER, import_onnxruntime

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

IR_VERSION = 10
"""What the networks here are written in; every ONNX Runtime that edgefn takes reads it."""


class SingleNodes:
    """Runs nodes of `model`, with its operator sets and its functions."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self._model = model
        self._sessions: dict[tuple[Any, ...], Any] = {}

    def run(self, node: onnx.NodeProto, inputs: Mapping[str, Array]) -> list[Array]:
        """Return the node's outputs, those left out as empty arrays."""
        import numpy as np

        names = [name for name in node.output if name]
        made = dict(zip(names, self._session(node, inputs).run(names, dict(inputs)), strict=True))
        return [np.asarray(made[name]) if name else np.empty(0, np.float32) for name in node.output]

    def _session(self, node: onnx.NodeProto, inputs: Mapping[str, Array]) -> Any:
        # by the outputs' names, which no other node has; the types, for a network may be run in two precisions
        key = (*node.output, *((name, array.dtype.str, array.ndim) for name, array in inputs.items()))
        if key not in self._sessions:
            self._sessions[key] = self._opened(self._alone(node, inputs))
        return self._sessions[key]

    def _opened(self, model: onnx.ModelProto) -> Any:
        ort = import_onnxruntime()
        options = ort.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 4
        try:
            return ort.InferenceSession(model.SerializeToString(), options, providers=[PROVIDER])
        except Exception as error:  # its classes have no common one; an operator or a type that it has no kernel of
            from onnx.reference import ReferenceEvaluator

            try:
                return ReferenceEvaluator(model)
            except Exception:
                raise error from None

    def _alone(self, node: onnx.NodeProto, inputs: Mapping[str, Array]) -> onnx.ModelProto:
        import onnx

        helper = onnx.helper
        given = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), [None] * array.ndim)
            for name, array in inputs.items()
        ]
        untyped = [onnx.ValueInfoProto(name=name) for name in node.output if name]  # the engine finds out
        return helper.make_model(
            helper.make_graph([node], "single", given, untyped),
            opset_imports=self._model.opset_import,
            functions=self._model.functions,
            ir_version=IR_VERSION,
        )
