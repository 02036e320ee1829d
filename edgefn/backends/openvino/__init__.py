"""OpenVINO on the CPU: the backend called "openvino".

    backend.py     probe, lower, finish, load
    library.py     the import of openvino, silent and short
    lowering.py    ONNX → IR: model.xml and model.bin
    int8.py        IR in float → IR with int8 operators, by NNCF
    mixing.py      which layers stay in float, when all in int8 is not right enough
    session.py     compiled models, run in the caller's thread

Importing any of these imports neither openvino nor nncf.
"""

from __future__ import annotations

from edgefn.backends.openvino.backend import OpenVino

__all__ = ["OpenVino"]
