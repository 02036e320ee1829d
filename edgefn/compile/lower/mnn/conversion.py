"""`python -m edgefn.compile.lower.mnn.conversion ONNX FOLDER [INPUTS OUTPUTS]...`: converts a model, and tries it.

FOLDER has the record and gets the model; INPUTS are arrays to run it with, OUTPUTS are its outputs, all .npz. A
process of its own, because MNN's converter can end with a segmentation fault, and prints.

MNN's commands `mnnconvert` and `mnnquant` install a package of a log service by pip and report each conversion to it.
They are never called, nor is `MNN.tools` imported: the extension module beneath them, `_tools`, converts and does
neither.
"""

from __future__ import annotations

import sys
from pathlib import Path

FAILED = 1


def main(arguments: list[str] | None = None) -> int:
    """Convert and try the model that the command line names; return the exit code. MNN prints on stdout."""
    onnx, folder, *trial = map(Path, sys.argv[1:] if arguments is None else arguments)
    if not convert(onnx, folder):
        return FAILED
    for inputs, outputs in zip(trial[::2], trial[1::2], strict=True):
        attempt(folder, inputs, outputs)
    return 0


def convert(onnx: Path, folder: Path) -> bool:
    """Convert the ONNX file; tell whether `folder` has the model now.

    The converter itself returns True always.
    """
    import _tools

    from edgefn.backends.mnn.session import FILE

    path = folder / FILE
    path.unlink(missing_ok=True)
    source = ["-f", "ONNX", "--modelFile", str(onnx), "--MNNModel", str(path), "--bizCode", "edgefn"]
    # The other way to make an LSTM, a loop, ends in a segmentation fault where a size is symbolic.
    _tools.mnnconvert(["mnnconvert", *source, "--useOriginRNNImpl"])
    return path.is_file()


def attempt(folder: Path, inputs: Path, outputs: Path) -> None:
    """Run the model in `folder` on `inputs`, and write `outputs` unless MNN refuses the inputs."""
    import numpy as np

    from edgefn.backends.mnn import session

    try:
        with np.load(inputs, allow_pickle=False) as arrays:
            found = session.load(folder).run(dict(arrays))
    except ValueError as error:  # numbers that MNN does not compute with: the golden samples judge alone
        print(error)
        return
    np.savez(outputs, allow_pickle=False, **found)


if __name__ == "__main__":
    sys.exit(main())
