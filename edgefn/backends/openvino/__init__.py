"""OpenVINO on the CPU: the backend called "openvino".

    backend.py     probe, lower, finish, load
    library.py     the import of openvino, silent and short
    lowering.py    captured network → ONNX that openvino converts
    transforms.py  ONNX written otherwise for openvino
    mending.py     all that openvino computes otherwise
    narrow.py      arithmetic of 8 and 16 bits
    reductions.py  sums and maxima of whole numbers
    doubles.py     quotients of float64
    spectra.py     Fourier transforms
    int8.py        openvino as the engine of edgefn.compile.quantize
    session.py     compiled models, run in the caller's thread

Importing any of these imports no openvino.
"""

from __future__ import annotations

from edgefn.backends.openvino.backend import OpenVino

__all__ = ["OpenVino"]
