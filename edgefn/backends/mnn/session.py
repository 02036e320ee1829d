"""A loaded model of MNN behind the `Session` protocol."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.backends import inexact, not_numbers, out_of_range, output_names
from edgefn.backends.mnn import record
from edgefn.backends.mnn.library import flush, import_mnn, installed, silence
from edgefn.errors import BundleError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.backends.mnn.record import MnnRecord
    from edgefn.session import Arrays

FILE = "model.mnn"


class MnnSession:
    """Runs a module of MNN, whatever the sizes of the symbolic dimensions."""

    def __init__(self, module: Any, manager: Any, record: MnnRecord) -> None:
        self._module = module
        self._manager = manager  # its threads and memory are the module's
        self._record = record

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Return the outputs by name.

        Raise ValueError for what MNN does not compute with, RuntimeError where it computes nothing, and
        IndexError, as PyTorch does, for an index that is out of range.
        """
        if empty := next((name for name in self._record.inputs if not inputs[name].size), ""):
            raise ValueError(f"input {empty!r} has no element, and MNN ends its process for some steps of nothing")
        not_numbers.check_inputs(inputs, "MNN", infinite=True)
        variables = [_variable(name, inputs[name]) for name in self._record.inputs]
        results = self._module.onForward(variables)
        if len(results) != len(self._record.outputs):
            flush()  # it has printed why
            shapes = ", ".join(f"{name} {list(inputs[name].shape)}" for name in self._record.inputs)
            raise RuntimeError(f"MNN {installed()} computes nothing for {shapes}; the function's log has why")
        # Copies: what read() gives is memory that MNN frees.
        outputs: dict[str, NDArray[np.generic]] = {
            name: np.array(result.read(), dtype=dtype, order="C")
            for (name, dtype), result in zip(self._record.outputs.items(), results, strict=True)
        }
        out_of_range.check(outputs)
        inexact.check(outputs, inexact.MNN)
        not_numbers.check(outputs, "MNN")
        return outputs


def load(folder: Path, threads: int = 1) -> MnnSession:
    """Load the model in `folder`, to run on `threads` threads. Raise BundleError when it does not load."""
    mnn, found, path = import_mnn(), record.read(folder), folder / FILE
    outputs = [output_names.inside(name, found.inputs) for name in found.outputs]
    with silence():  # it prints the precision, and why a file does not load
        # "high" is float32 on every CPU; "low" would be float16 where the CPU has it.
        manager = mnn.nn.create_runtime_manager(({"backend": "CPU", "precision": "high", "numThread": threads},))
        try:
            # Weights are laid out for the CPU now and kept once: 24 MB in place of 42 for EfficientNet-Lite0.
            module = mnn.nn.load_module_from_file(
                str(path), list(found.inputs), outputs, runtime_manager=manager, rearrange=True
            )
        except SystemError as error:  # what its binding makes of any failure
            raise BundleError(f"MNN {installed()} does not load {path.name}: {error.__cause__ or error}") from error
    return MnnSession(module, manager, found)


def _variable(name: str, array: NDArray[Any]) -> Any:
    expr = import_mnn().expr
    dtype = record.DTYPES[array.dtype.name]
    narrow = array.astype(dtype, copy=False)
    if array.dtype == np.int64 and not np.array_equal(narrow, array):
        raise ValueError(f"input {name!r} holds integers beyond 32 bits, and MNN computes with 32")
    return expr.const(narrow, list(narrow.shape), expr.NCHW, expr.float if dtype == "float32" else expr.int)
