"""ONNX Runtime on the CPU: the backend that every bundle has an artifact for.

    lower    model.onnx, as exported: any machine can read it
    finish   finished.onnx, fully optimised for this CPU, its weights in finished.onnx.data, which each process
             maps and the page cache shares
    load     no optimisation left to do; one thread and weights not copied ("prepacking off"), unless asked for

Importing this module does not import onnxruntime; importing onnxruntime through it starts no thread.
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn.backends.backend import Lowered, Probe
from edgefn.errors import BuildError, BundleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.backends.backend import Arrays, Captured
    from edgefn.targets.profiles import Target

OPSET = 20
"""The opset asked for: what torch.onnx writes without a conversion, and ONNX Runtime ≥ 1.17 reads."""

PORTABLE = "model.onnx"
FINISHED = "finished.onnx"
PROVIDER = "CPUExecutionProvider"

EXTERNAL_MIN_BYTES = 1024
"""Smaller weights stay in the model file: shapes and scalars that loading must look at anyway."""

NO_PREPACKING = {"session.disable_prepacking": "1"}
"""Weights are used as they lie in the mapped file. Pre-packing copies each matrix into private memory at every start:
measured on two Zen 3 cores, a 100 MB perceptron starts in 105 ms instead of 1 ms (8 MB: 7 instead of 1), and a
batch of one is no faster for it (0.23 ms both; 4.4 against 5.4). Convolutions do not care (12 ms with or without). A
model with `batch` is loaded pre-packed all the same: its batches of 2 to 8 are half as long again to twice as fast
(docs/decisions/batching.md)."""


SMALLEST_MODEL = (
    b'\x08\x08:3\n\x0c\n\x01x\x12\x01y"\x04Relu\x12\x01gZ\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02'
    b"\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\x11"
)
"""y = Relu(x), one float: an ONNX file as bytes, because a box has no `onnx` package to make one with."""


class OnnxSession:
    """An `onnxruntime.InferenceSession` behind the `Session` protocol."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._outputs = [output.name for output in session.get_outputs()]

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(inputs)), strict=True))


class OnnxRuntime:
    """The backend called "onnxruntime"."""

    name = "onnxruntime"
    fork_safe = True  # one intra-op thread is the caller's own, so a session has none to lose in a fork

    def probe(self) -> Probe:
        """Whether onnxruntime is installed; reads its metadata, does not import it."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            return Probe(True, version("onnxruntime"), f"onnxruntime {version('onnxruntime')}, CPU")
        except PackageNotFoundError:
            return Probe(False, fix="pip install onnxruntime")

    def warm_up(self) -> None:
        """onnxruntime is imported and has made and run one tiny session: operator tables, allocators, locale."""
        import numpy as np

        session = import_onnxruntime().InferenceSession(SMALLEST_MODEL, _options({}), providers=[PROVIDER])
        session.run(None, {"x": np.zeros(1, np.float32)})

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Writes `model.onnx` (and `model.onnx.data` past the protobuf limit) into `folder`."""
        if target.precision != "fp32":
            raise BuildError(f"onnxruntime has no {target.precision}, so it does not build the target {target}")
        from importlib.metadata import version

        source = captured.onnx(OPSET)
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / PORTABLE)
        if (data := source.with_name(f"{source.name}.data")).exists():
            shutil.copyfile(data, folder / data.name)
        versions = {name: version(name) for name in ("torch", "onnx", "onnxscript", "onnxruntime")}
        return Lowered(versions | {"opset": str(OPSET)}, OPSET)

    def finish(self, portable: Path, folder: Path) -> None:
        """Writes `finished.onnx` and its mapped weights into `folder`; 130 ms for EfficientNet-Lite0."""
        import_onnxruntime()
        folder.mkdir(parents=True, exist_ok=True)
        options = _options(
            {
                "session.optimized_model_external_initializers_file_name": f"{FINISHED}.data",
                "session.optimized_model_external_initializers_min_size_in_bytes": str(EXTERNAL_MIN_BYTES),
            }
        )
        options.optimized_model_filepath = str(folder / FINISHED)
        _session(portable / PORTABLE, options)

    def load(self, folder: Path, *, threads: int = 1, batched: bool = False) -> OnnxSession:
        """A session of the finished artifact in `folder`, or of the portable one where there is none.

        Raises BundleError when neither loads. A portable artifact is optimised now, in this process. With `batched`
        matrices are copied into the form that is fastest for several rows.
        """
        ort = import_onnxruntime()
        _share_arena()
        options = _options({"session.use_env_allocators": "1"} | ({} if batched else NO_PREPACKING), threads)
        options.enable_mem_pattern = False
        if (finished := folder / FINISHED).exists():
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            return OnnxSession(_session(finished, options))
        return OnnxSession(_session(folder / PORTABLE, options))


def import_onnxruntime() -> Any:
    """The onnxruntime module, with its telemetry off: since 1.32 that is a thread, and a zygote must have one."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime


@cache
def _share_arena() -> None:
    """The process's sessions take their memory from one arena that grows by what is asked for.

    An arena of its own for each session doubles each time it grows, and a memory pattern is one block for a whole run:
    EfficientNet-Lite0 held 14.5 MB after some runs and holds 10 MB so, at the same 12.9 ms.
    """
    ort = import_onnxruntime()
    cpu = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    as_requested = 1
    ort.create_and_register_allocator(cpu, ort.OrtArenaCfg(0, as_requested, -1, -1))


def _options(entries: dict[str, str], threads: int = 1) -> Any:
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Errors only: at finish it warns that the file is for this machine, which is what finishing is for.
    options.log_severity_level = 3
    for key, value in {"session.intra_op.allow_spinning": "0", **entries}.items():
        options.add_session_config_entry(key, value)
    return options


def _session(path: Path, options: Any) -> Any:
    ort = import_onnxruntime()
    try:
        session = ort.InferenceSession(str(path), options, providers=[PROVIDER])
    except Exception as error:  # onnxruntime's exceptions have no common class but this
        raise BundleError(f"onnxruntime {ort.__version__} does not load {path.name}: {error}") from error
    if session.get_providers() != [PROVIDER]:
        raise BundleError(f"{path.name} runs on {session.get_providers()}, not on {PROVIDER} alone")
    return session
