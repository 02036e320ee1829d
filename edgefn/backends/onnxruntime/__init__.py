"""ONNX Runtime on the CPU: the backend that every bundle has an artifact for.

    backend    `OnnxRuntime`: finish, load
    session    import, options and sessions of the library
    settings   session options that an artifact brings along

Importing this package does not import onnxruntime; importing onnxruntime through it starts no thread.
"""

from edgefn.backends.onnxruntime.backend import FINISHED, PORTABLE, OnnxRuntime
from edgefn.backends.onnxruntime.session import PROVIDER, OnnxSession, import_onnxruntime

__all__ = ["FINISHED", "PORTABLE", "PROVIDER", "OnnxRuntime", "OnnxSession", "import_onnxruntime"]
