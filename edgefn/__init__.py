"""edgefn: write a PyTorch function on your laptop and run it on any edge box, on demand.

    from edgefn import Image, edge_function, edge_model, tensor

    function, model   the two decorators; options, quantization, weights, batching: what they take
    spec, golden      what a function and its models are, as data; golden samples
    session           what runs a model
    project, errors   edgefn.toml; every error that is raised on purpose
    extras            the command that installs one
    dimensions/ text/ codec/ images/ accuracy/ bundle/ targets/ system/    what laptop and box share
    api/             the admin API of a box, as types
    backends/ adapters/ compile/                                           inference stacks; the build
    testing/                                                               for authors' tests: a call as HTTP makes it

This module owns the names a user imports, and nothing else. It must never import more than is asked for: names
resolve on first use (PEP 562), so that `import edgefn` costs microseconds and loads no NumPy, Pillow or PyTorch.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it as true; importing `typing` to get it costs more than all of this module

if TYPE_CHECKING:
    from edgefn.accuracy.bound import Bound
    from edgefn.accuracy.options import Accuracy
    from edgefn.codec.tensors import tensor
    from edgefn.dimensions.sizes import Dim
    from edgefn.errors import EdgefnError, InputError, ModelInputError, SizeError, SpecError
    from edgefn.function import EdgeFunction, edge_function
    from edgefn.images.image import Image
    from edgefn.images.options import picture
    from edgefn.model import EdgeModel, edge_model
    from edgefn.quantization import Quantize

    __version__: str

__all__ = [
    "Accuracy",
    "Bound",
    "Dim",
    "EdgeFunction",
    "EdgeModel",
    "EdgefnError",
    "Image",
    "InputError",
    "ModelInputError",
    "Quantize",
    "SizeError",
    "SpecError",
    "edge_function",
    "edge_model",
    "picture",
    "tensor",
]

_HOMES = {
    "Accuracy": "edgefn.accuracy.options",
    "Bound": "edgefn.accuracy.bound",
    "Dim": "edgefn.dimensions.sizes",
    "EdgeFunction": "edgefn.function",
    "EdgeModel": "edgefn.model",
    "EdgefnError": "edgefn.errors",
    "Image": "edgefn.images.image",
    "InputError": "edgefn.errors",
    "ModelInputError": "edgefn.errors",
    "Quantize": "edgefn.quantization",
    "SizeError": "edgefn.errors",
    "SpecError": "edgefn.errors",
    "edge_function": "edgefn.function",
    "edge_model": "edgefn.model",
    "picture": "edgefn.images.options",
    "tensor": "edgefn.codec.tensors",
}


if not TYPE_CHECKING:  # else a type checker would take any name for one of edgefn's

    def __getattr__(name: str) -> object:
        if name == "__version__":
            value: object = _version()
        elif name in _HOMES:
            from importlib import import_module

            value = getattr(import_module(_HOMES[name]), name)
        else:
            raise AttributeError(f"module 'edgefn' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})


def _version() -> str:
    from importlib.metadata import version

    return version("edgefn")
