"""Compiled models as sessions: run in the caller's thread, so that they run after a fork, too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn.backends import inexact, not_numbers, out_of_range, output_names
from edgefn.backends.openvino.library import core, import_openvino
from edgefn.errors import BundleError

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

    from edgefn.session import Arrays

Shapes = Mapping[str, tuple[int, ...]]

FLOAT, BFLOAT = "f32", "bf16"
"""Precisions of what is not int8, as openvino calls them."""


class OpenVinoSession:
    """Runs `usual`, compiled for `shapes`; other shapes run on the model in `model`, compiled when one first comes."""

    def __init__(self, usual: Runner, shapes: Shapes, model: Path, threads: int, precision: str = FLOAT) -> None:
        self._usual = usual
        self._names = usual.names
        self._precision = precision
        self._shapes = shapes
        self._model = model
        self._threads = threads
        self._any: Runner | None = None

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Return the outputs by name.

        Raise ValueError for numbers that openvino does not compute with exactly. Raise IndexError, as PyTorch does, for
        an index that is out of range.
        """
        if empty := next((name for name, array in inputs.items() if not array.size), ""):
            raise ValueError(
                f"input {empty!r} is empty, and openvino answers some steps with empty tensors from the last call"
            )
        check_inputs(inputs)
        not_numbers.check_inputs(inputs, "openvino")
        outputs = self._runner(inputs).run(inputs)
        out_of_range.check(outputs)
        not_numbers.check(outputs, "openvino")
        inexact.check(outputs, inexact.OPENVINO)
        check_outputs(outputs)
        return outputs

    def _runner(self, inputs: Arrays) -> Runner:
        if all(inputs[name].shape == shape for name, shape in self._shapes.items()):
            return self._usual
        if self._any is None:
            model = compiled(read(self._model), self._threads, self._precision)
            self._any = primed(Runner(model, self._names), model, self._shapes)
        return self._any


class Runner:
    """A compiled model and its one request. `pages` are what its weights lie in, where it does not own them.

    `names` are the file's of its outputs: openvino makes one value of two that are computed alike, with both names.
    """

    def __init__(self, compiled: Any, names: Sequence[str] = (), pages: object = None) -> None:
        self.names = names
        self._pages = pages
        self._request = compiled.create_infer_request()
        inputs = {name for one in compiled.inputs for name in one.get_names()}
        self._outputs = [
            (output_names.outside(name, inputs), one)
            for name, one in zip(_chosen(compiled.outputs, names), compiled.outputs, strict=True)
        ]

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        """Return the outputs by name, as arrays of their own: the request's are overwritten by the next run."""
        # infer() and not start_async(): that would want a thread which a fork has left behind.
        results = self._request.infer(dict(inputs), share_inputs=True, share_outputs=True)
        return {name: results[output].copy() for name, output in self._outputs}


def primed(runner: Runner, compiled: Any, shapes: Shapes) -> Runner:
    """Return `runner` after a first run of free dimensions longer than 1, as long as in `shapes` where they are.

    openvino keeps the kernels of its first run. One of length 1 broadcasts, and went on to do so: a causal mask was
    that of its first row, for every length from 16 on.
    """
    import numpy as np

    inputs = {}
    for one in compiled.inputs:
        usual = shapes.get(one.get_any_name(), (1,) * len(one.partial_shape))
        sizes = [
            max(2, length) if size.is_dynamic else size.get_length()
            for size, length in zip(one.partial_shape, usual, strict=True)
        ]
        inputs[one.get_any_name()] = np.zeros(sizes, one.element_type.to_dtype())
    with suppress(RuntimeError):  # lengths that the network does not take together
        runner.run(inputs)
    return runner


def _chosen(outputs: Sequence[Any], names: Sequence[str]) -> Iterator[str]:
    """Yield a name of each output, one of `names` that no other has where there is one."""
    left = [*names, out_of_range.OUTPUT, inexact.OUTPUT, not_numbers.OUTPUT]
    for one in outputs:
        own = one.get_names()
        name = next((name for name in left if name in own), "")
        if name:
            left.remove(name)
        yield name or one.get_any_name()


def check_inputs(inputs: Arrays) -> None:
    """Raise ValueError for numbers that float32 does not compute with exactly, as openvino does on a CPU."""
    for name, array in inputs.items():
        if _largest(array) > inexact.OPENVINO.given:
            raise ValueError(
                f"input {name!r} holds integers beyond {inexact.OPENVINO.given}, and {inexact.OPENVINO.why}"
            )
        if array.dtype == "float64" and not _is_short(array):
            raise ValueError(
                f"input {name!r} holds float64 numbers that do not fit float32, but openvino computes with float32"
            )


def check_outputs(outputs: Arrays) -> None:
    """Raise ValueError for integers that are rounded, or cut off at 32 bits."""
    for name, array in outputs.items():
        if _largest(array) >= inexact.OPENVINO.made:
            raise ValueError(
                f"output {name!r} holds integers of {inexact.OPENVINO.made} or more, and {inexact.OPENVINO.why}"
            )


def _largest(array: NDArray[Any]) -> int:
    """Return how large the integers of `array` are, of those that may be too large for float32."""
    is_wide = array.dtype.kind in "iu" and array.dtype.itemsize >= 4 and array.size > 0
    return max(int(array.max()), -int(array.min())) if is_wide else 0


def _is_short(array: NDArray[Any]) -> bool:
    import numpy as np

    with np.errstate(over="ignore"):
        return np.array_equal(array.astype(np.float32), array, equal_nan=True)


def settings(threads: int, precision: str = FLOAT) -> dict[str, Any]:
    """Return the settings: one stream, whose first thread is the caller's.

    Float stays float32 even where the CPU could compute in bfloat16.
    """
    return {
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,
        "INFERENCE_PRECISION_HINT": precision,
    }


def read(path: Path) -> Any:
    """Return the model in an ONNX or IR file. Raise BundleError."""
    try:
        return core().read_model(path)
    except RuntimeError as error:
        raise BundleError(f"openvino {version()} cannot read {path.name}: {_reason(error)}") from error


def executed(compiled: Any, kinds: Container[str], precisions: Container[str]) -> dict[str, int]:
    """Count the layers of `kinds` that the compiled model runs in `precisions`, by type.

    The engine itself reports them.
    """
    found: Counter[str] = Counter()
    for node in compiled.get_runtime_model().get_ops():
        told = {key: str(getattr(value, "value", value)) for key, value in node.get_rt_info().items()}
        if told.get("layerType") in kinds and told.get("runtimePrecision") in precisions:
            found[told["layerType"]] += 1
    return dict(found)


def save(model: Any, path: Path) -> None:
    """Save `model` to `path`, and its weights unchanged to a .bin beside it."""
    import_openvino().save_model(model, path, compress_to_fp16=False)


def compiled(model: Any, threads: int = 1, precision: str = FLOAT) -> Any:
    """Compile `model` for this CPU. Raise BundleError."""
    try:
        return core().compile_model(model, "CPU", settings(threads, precision))
    except RuntimeError as error:
        raise BundleError(f"openvino {version()} cannot compile the model: {_reason(error)}") from error


def tried(model: onnx.ModelProto, given: Sequence[Arrays]) -> list[Arrays] | None:
    """Return the outputs of a file in memory for each of the inputs `given`; None where openvino does not take it."""
    names = [one.name for one in model.graph.output]
    try:
        made = compiled(core().read_model(model.SerializeToString()))
        runner = Runner(made, names)
        return [runner.run(inputs) for inputs in given]
    except (BundleError, RuntimeError):
        return None


def imported(blob: Path, threads: int, precision: str = FLOAT, names: Sequence[str] = ()) -> Runner:
    """Load the model in `blob`, which this version exported on such a CPU.

    Raise BundleError for a blob of another version or CPU.
    """
    import numpy as np

    openvino = import_openvino()
    try:
        pages = np.memmap(blob, np.uint8, "c")  # openvino wants pages that could be written to, and writes to none
        tensor = openvino.Tensor(pages, shared_memory=True)
        return Runner(core().import_model(tensor, "CPU", settings(threads, precision)), names, (pages, tensor))
    except (RuntimeError, ValueError) as error:  # ValueError: an empty file
        raise BundleError(
            f"openvino {version()} cannot load {blob.name}, which another version or another CPU made: "
            f"{_reason(error)}; it must be finished again"
        ) from error


def version() -> str:
    """Return the installed openvino's version, as of its distribution."""
    import importlib.metadata

    return importlib.metadata.version("openvino")


def _reason(error: Exception) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "no reason given")
