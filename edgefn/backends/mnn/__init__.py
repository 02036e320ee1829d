"""MNN on the CPU, for small ARM boxes: the backend called "mnn".

    backend.py      probe, lower, finish, load
    library.py      the import of MNN, silent
    lowering.py     ONNX → model.mnn in float32, tried at another size before it is taken
    conversion.py   the process that converts and tries: a crash of MNN's ends that one alone
    mending.py      steps that MNN computes otherwise than the file says
    screening.py    the steps of a file, each tried alone
    record.py       the names and dtypes of what goes in and comes out, beside the model
    session.py      a loaded model, run in the caller's thread

Importing any of these does not import MNN.
"""

from __future__ import annotations

from edgefn.backends.mnn.backend import Mnn

__all__ = ["Mnn"]
