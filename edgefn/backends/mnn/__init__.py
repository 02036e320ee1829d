"""MNN on the CPU, for small ARM boxes: the backend called "mnn".

    backend.py      probe, finish, load
    library.py      the import of MNN, silent
    record.py       the names and dtypes of what goes in and comes out, beside the model
    session.py      a loaded model, run in the caller's thread

Importing any of these does not import MNN.
"""

from __future__ import annotations

from edgefn.backends.mnn.backend import Mnn

__all__ = ["Mnn"]
