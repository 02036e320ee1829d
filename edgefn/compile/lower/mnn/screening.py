"""The steps of a file tried alone by MNN, in a process of their own: some crash it for numbers that are fine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn.backends.mnn import record
from edgefn.compile.lower.screening.screen import screen

if TYPE_CHECKING:
    import onnx

    from edgefn.session import Arrays

LIMIT_S = 60


def wrong(path: Path, sizes: Mapping[str, int]) -> str:
    """Return how MNN computes a step of the file at `path` differently from its definition, or ""."""
    import onnx

    return screen(onnx.load(path, load_external_data=False), sizes, _tried, in_parts=False).wrong


def _tried(model: onnx.ModelProto, given: Sequence[Arrays]) -> list[Arrays] | None:
    """Return the outputs for each of the inputs, up to the first that MNN refuses; None where it makes no such file."""
    import numpy as np
    import onnx

    values = onnx.shape_inference.infer_shapes(model).graph
    types = {
        one.name: onnx.helper.tensor_dtype_to_np_dtype(one.type.tensor_type.elem_type).name for one in values.output
    }
    inputs = {name: array.dtype.name for name, array in given[0].items()}
    with tempfile.TemporaryDirectory(prefix="edgefn-mnn-screen-") as scratch:
        folder = Path(scratch)
        onnx.save(model, folder / "steps.onnx")
        record.write(record.MnnRecord(inputs, types), folder)
        pairs = [(folder / f"inputs-{number}.npz", folder / f"outputs-{number}.npz") for number in range(len(given))]
        for (path, _), arrays in zip(pairs, given, strict=True):
            np.savez(path, allow_pickle=False, **arrays)
        names = [str(path) for pair in pairs for path in pair]
        command = [
            sys.executable,
            "-P",
            "-m",
            "edgefn.compile.lower.mnn.conversion",
            str(folder / "steps.onnx"),
            scratch,
        ]
        try:
            done = subprocess.run(
                [*command, *names], stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=LIMIT_S
            )
        except subprocess.TimeoutExpired:
            return None
        if done.returncode:
            return None
        found: list[Arrays] = []
        for _, path in pairs:
            if not path.exists():
                break
            with np.load(path, allow_pickle=False) as arrays:
                found.append(dict(arrays))
        return found
