"""`OnnxRuntime`, the backend. Its portable artifact, model.onnx, any machine can read.

finish   finished.onnx, fully optimised for this CPU, its weights in finished.onnx.data, which each process
         maps and the page cache shares
load     no optimisation left to do; one thread, and the weights of a float artifact not copied ("prepacking off"),
         unless asked for
"""

from __future__ import annotations

from pathlib import Path

from edgefn import extras
from edgefn.backends.onnxruntime import settings
from edgefn.backends.onnxruntime.session import (
    PROVIDER,
    SMALLEST_MODEL,
    OnnxSession,
    import_onnxruntime,
    open_session,
    session_options,
    share_arena,
)
from edgefn.targets.probe import Probe

PORTABLE = "model.onnx"
FINISHED = "finished.onnx"

EXTERNAL_MIN_BYTES = 1024
"""Smaller weights stay in the model file: shapes and scalars that loading must look at anyway."""

NO_PREPACKING = {"session.disable_prepacking": "1"}
"""Weights are used as they lie in the mapped file. Pre-packing copies each matrix into private memory at every start:
measured on two Zen 3 cores, a 100 MB perceptron starts in 105 ms instead of 1 ms (8 MB: 7 instead of 1), and a
batch of one is no faster for it (0.23 ms both; 4.4 against 5.4). Convolutions do not care (12 ms with or without). A
model with `batch` is loaded pre-packed all the same: its batches of 2 to 8 are half as long again to twice as fast
(docs/decisions/batching.md). So is every int8 artifact: its kernels pack the weights in each run where it was not done
before, and EfficientNet-Lite0 then takes twice as long (docs/decisions/quantisation.md)."""


class OnnxRuntime:
    """The backend called "onnxruntime"."""

    name = "onnxruntime"
    fork_safe = True  # one intra-op thread is the caller's own, so a session has none to lose in a fork

    def probe(self) -> Probe:
        """Tell whether onnxruntime is installed; read its metadata, never import it."""
        from edgefn.targets.facts import installed

        found = installed("onnxruntime", "onnxruntime")
        return Probe(True, found, f"onnxruntime {found}, CPU") if found else Probe(False, fix=extras.command("runtime"))

    def warm_up(self) -> None:
        """Import onnxruntime; make and run one tiny session: operator tables, allocators, locale."""
        import numpy as np

        session = import_onnxruntime().InferenceSession(SMALLEST_MODEL, session_options({}), providers=[PROVIDER])
        session.run(None, {"x": np.zeros(1, np.float32)})

    def finish(self, portable: Path, folder: Path) -> None:
        """Write `finished.onnx` and its mapped weights into `folder`; 130 ms for EfficientNet-Lite0."""
        import_onnxruntime()
        folder.mkdir(parents=True, exist_ok=True)
        asked = settings.read(portable)
        options = session_options(
            {
                **asked.session,
                "session.optimized_model_external_initializers_file_name": f"{FINISHED}.data",
                "session.optimized_model_external_initializers_min_size_in_bytes": str(EXTERNAL_MIN_BYTES),
            }
        )
        options.optimized_model_filepath = str(folder / FINISHED)
        open_session(portable / PORTABLE, options)
        if asked != settings.Settings():
            settings.write(asked, folder)

    def load(self, folder: Path, *, threads: int = 1, batched: bool = False) -> OnnxSession:
        """Load the finished artifact in `folder`, or the portable one where there is none.

        Raise BundleError when neither loads. A portable artifact is optimised now, in this process. With `batched`,
        matrices are copied into the form that is fastest for several rows.
        """
        ort = import_onnxruntime()
        share_arena()
        asked = settings.read(folder)
        packing = {} if batched or asked.precision != "fp32" else NO_PREPACKING
        options = session_options(asked.session | {"session.use_env_allocators": "1"} | packing, threads)
        options.enable_mem_pattern = False
        if (finished := folder / FINISHED).exists():
            options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
            return OnnxSession(open_session(finished, options))
        return OnnxSession(open_session(folder / PORTABLE, options))
