"""Lowers the captured network's ONNX to MNN's model, and compares that with the program at another size.

MNN's converter refuses operators that it does not know. Some others it converts wrongly without a warning. So the
golden samples are not the only check: the trial has sizes that no sample needs to have.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn import golden
from edgefn.accuracy.judge import judge
from edgefn.backends.mnn import record
from edgefn.backends.mnn.backend import Mnn
from edgefn.backends.mnn.library import installed
from edgefn.backends.mnn.session import FILE
from edgefn.compile.lower.lowering import Lowered
from edgefn.compile.lower.mnn import mending, screening
from edgefn.compile.lower.rewriting import exact
from edgefn.errors import BuildError
from edgefn.system import signals

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from edgefn.compile.lower.lowering import Captured
    from edgefn.golden import GoldenSample
    from edgefn.session import Arrays
    from edgefn.targets.probe import Probe
    from edgefn.targets.profiles import Target

OPSET = 20

_ELSE = "leave this target out of --target, or write the network with other operators"
_ID = re.compile(rb"\x24\0\0\0([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\0")
_PREFIX = re.compile(r"^\[[\d:]+\]\s*:\d+:\s*")
"""Of a line that the converter prints: the time and the line of its source."""


class MnnLowering:
    """The lowering called "mnn": one file for every CPU that MNN runs on, whatever the sizes of its free dimensions."""

    name = "mnn"

    def probe(self) -> Probe:
        """Tell whether MNN is installed; read its metadata, never import it."""
        return Mnn().probe()

    def lower(self, captured: Captured, target: Target, folder: Path) -> Lowered:
        """Write the model and its record into `folder`. Raise BuildError when MNN cannot make the network."""
        if target.precision != "fp32":
            raise BuildError(f"mnn has no {target.precision}, so it does not build the target {target}")
        what = f"{target} of model {captured.model.name}"
        _check_dtypes(captured, what)
        source, sample = captured.onnx(OPSET), _trial(captured)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="edgefn-mnn-") as scratch:
            onnx = Path(scratch, "onnx", source.name)
            shutil.copytree(source.parent, onnx.parent)  # past the limit of its format the weights lie beside it
            _check_constants(onnx, what)
            record.write(record.of(captured.model, *mending.mend(onnx)), folder)
            inputs, outputs = Path(scratch, "inputs.npz"), Path(scratch, "outputs.npz")
            _convert(onnx, folder, inputs, outputs, sample, what)
            if sample is not None and outputs.exists():
                _check(outputs, sample, captured, what)
            _name_by_content(folder / FILE)
            if wrong := screening.wrong(onnx, captured.sizes):
                raise BuildError(f"{what}: MNN {installed()} computes a step otherwise than PyTorch: {wrong}; {_ELSE}")
        return Lowered({"MNN": installed()})


def _name_by_content(path: Path) -> None:
    """Replace the converter's random id by one that follows from the file: the same network, the same file.

    The id is a string in a FlatBuffer: its length, then 36 characters. A file without it is left as it is.
    """
    data = path.read_bytes()
    if found := _ID.search(data):
        plain = data[: found.start(1)] + bytes(36) + data[found.end(1) :]
        name = str(uuid.uuid5(uuid.NAMESPACE_OID, hashlib.sha256(plain).hexdigest()))
        path.write_bytes(data[: found.start(1)] + name.encode() + data[found.end(1) :])


def _check_constants(path: Path, what: str) -> None:
    """Raise BuildError for a computation with whole numbers beyond 32 bits.

    MNN cuts them off without a warning.
    """
    import onnx

    found = exact.beyond(onnx.load(path, load_external_data=False), 2**31)
    if found is not None:
        raise BuildError(f"{what}: it computes with the number {found}, and MNN with 32 bits; {_ELSE}")


def _check_dtypes(captured: Captured, what: str) -> None:
    for kind, tensors in (("input", captured.model.inputs), ("output", captured.model.outputs)):
        for name, tensor in tensors.items():
            if tensor.dtype not in record.DTYPES:
                raise BuildError(
                    f"{what}: its {kind} {name!r} is {tensor.dtype}, and MNN takes and gives "
                    f"{', '.join(record.DTYPES)}: convert it in the handler, or leave this target out of --target"
                )


def _trial(captured: Captured) -> GoldenSample | None:
    """Make inputs of other sizes than the samples', with the program's outputs.

    None where the program has no outputs for them.
    """
    from edgefn.compile.capture import examples

    inputs = examples.larger(captured.model, captured.sizes)
    try:
        outputs = examples.answers(captured, inputs)
    except Exception:  # a table of positions that ends with the samples' length: the golden samples judge alone
        return None
    return golden.GoldenSample(
        {name: one.numpy() for name, one in zip(captured.model.inputs, inputs, strict=True)},
        {name: one.numpy() for name, one in zip(captured.model.outputs, outputs, strict=True)},
    )


def _convert(onnx: Path, folder: Path, inputs: Path, outputs: Path, sample: GoldenSample | None, what: str) -> None:
    import numpy as np

    arguments = [str(onnx.absolute()), str(folder.absolute())]
    if sample is not None:
        np.savez(inputs, allow_pickle=False, **sample.inputs)
        arguments += [str(inputs), str(outputs)]
    # -P: a module `_tools` in the folder that the build was started in is not MNN's.
    command = [sys.executable, "-P", "-m", "edgefn.compile.lower.mnn.conversion", *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    said = done.stdout.decode("utf-8", "replace")
    print(said, end="", flush=True)  # the build's log
    if done.returncode:
        verb = "run what it makes of it" if (folder / FILE).is_file() else "convert it"
        raise BuildError(f"{what}: MNN {installed()} does not {verb}: {_reason(done.returncode, said)}; {_ELSE}")


def _reason(code: int, said: str) -> str:
    """Find in the output `said` the reason why the process ended with `code`.

    The last line where no line looks like a reason.
    """
    if code < 0:
        return f"it ends by {signals.name_of(-code)}"
    lines = [_PREFIX.sub("", line.strip()) for line in said.splitlines() if line.strip()]
    telling = ("Not Support", "Error", "error", "computes nothing")
    return next((line for line in lines if any(word in line for word in telling)), lines[-1] if lines else "no reason")


class _Tried:
    """What came of the trial, as a session that has run."""

    def __init__(self, outputs: Path) -> None:
        import numpy as np

        with np.load(outputs, allow_pickle=False) as arrays:
            self._outputs: dict[str, NDArray[np.generic]] = dict(arrays)

    def run(self, inputs: Arrays) -> dict[str, NDArray[np.generic]]:
        return self._outputs


def _check(outputs: Path, sample: GoldenSample, captured: Captured, what: str) -> None:
    agreement = judge(_Tried(outputs), golden.Pairs(samples=(sample,)), captured.judging, "fp32")
    if agreement.verdict == "wrong":
        sizes = ", ".join(f"{name} {list(array.shape)}" for name, array in sample.inputs.items())
        raise BuildError(
            f"{what}: MNN {installed()} makes another network of it, by a trial with {sizes}: {agreement.reason}; "
            f"{_ELSE}"
        )
