"""OpenVINO on the CPU: the backend called "openvino".

    backend.py     probe, finish, load
    library.py     the import of openvino, silent and short
    session.py     compiled models, run in the caller's thread

Importing any of these imports no openvino.
"""

from __future__ import annotations

from edgefn.backends.openvino.backend import OpenVino

__all__ = ["OpenVino"]
