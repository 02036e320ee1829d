"""Sessions of ONNX Runtime: its import, its options, and the one arena that they share."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn.backends import not_numbers, output_names
from edgefn.errors import BundleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.session import Arrays

PROVIDER = "CPUExecutionProvider"

DISABLED = ["WeightBiasQuantization"]
"""An optimisation that makes int8 of a float layer between two int8 ones, with one scale for all its channels: what was
left in float for its accuracy is then the worst of all (EfficientNet-Lite0, one depthwise layer kept: 0.54 of the crops
instead of 0.95)."""

SMALLEST_MODEL = (
    b'\x08\x08:3\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02'
    b"\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x11"
)
"""y = Relu(x), one float: an ONNX file as bytes, because a box has no `onnx` package to make one with."""


class OnnxSession:
    """An `onnxruntime.InferenceSession` behind the `Session` protocol."""

    def __init__(self, session: Any) -> None:
        self._session = session
        inputs = {one.name for one in session.get_inputs()}
        self._inside = [output.name for output in session.get_outputs()]
        self._outputs = [output_names.outside(name, inputs) for name in self._inside]

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Return the outputs by name. Raise ValueError for NaN that would be lost."""
        outputs = dict(zip(self._outputs, self._session.run(self._inside, dict(inputs)), strict=True))
        not_numbers.check(outputs, "onnxruntime")
        return outputs


def import_onnxruntime() -> Any:
    """Import onnxruntime with its telemetry off, and return the module.

    Since 1.32 the telemetry is a thread, and a zygote must have only one.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


@cache
def share_arena() -> None:
    """Make all sessions of the process share one memory arena that grows only by the size asked for.

    A separate arena for each session doubles each time it grows, and a memory pattern is one block for a whole run:
    EfficientNet-Lite0 held 14.5 MB after some runs; with the shared arena it holds 10 MB, at the same 12.9 ms.
    """
    ort = import_onnxruntime()
    cpu = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    as_requested = 1
    ort.create_and_register_allocator(cpu, ort.OrtArenaCfg(0, as_requested, -1, -1))


def session_options(entries: dict[str, str], threads: int = 1) -> Any:
    """Return options of a quiet session that runs one node at a time; `entries` configure it."""
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Errors only: at finish it warns that the file is for this machine, which is what finishing is for.
    options.log_severity_level = 3
    for key, value in {**entries, "session.intra_op.allow_spinning": "0"}.items():
        options.add_session_config_entry(key, value)
    return options


def open_session(path: Path, options: Any) -> Any:
    """Open the session of a file.

    Raise BundleError when it does not load, or would run on another provider than asked.
    """
    ort = import_onnxruntime()
    try:
        session = ort.InferenceSession(str(path), options, providers=[PROVIDER], disabled_optimizers=DISABLED)
    except Exception as error:  # onnxruntime's exceptions have no common class but this
        raise BundleError(f"onnxruntime {ort.__version__} does not load {path.name}: {_why(str(error))}") from error
    if session.get_providers() != [PROVIDER]:
        raise BundleError(f"{path.name} runs on {session.get_providers()}, not on {PROVIDER} alone")
    return session


_TYPE = re.compile(r"Type 'tensor\((\w+)\)' of input parameter .* of operator \((\w+)\)")
_IMPLEMENTATION = re.compile(r"Could not find an implementation for (\w+)\(\d+\)")
_ABOUT = re.compile(r"^(\[ONNXRuntimeError\] : \d+ : \w+ : )?(Load model from \S+ failed:)?\s*")


def _why(message: str) -> str:
    """Return the engine's reason for not loading a file; for an unsupported type also the remedy."""
    if found := _TYPE.search(message):
        dtype, operator = found.groups()
        return f"it has no {operator} of {dtype}: compute that step in another type, as float32 by .float()"
    if found := _IMPLEMENTATION.search(message):
        return f"it has no {found[1]} of such types: compute that step in another type, as float32 by .float()"
    return _ABOUT.sub("", message)
