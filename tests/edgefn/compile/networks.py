"""Networks made of a function, captured and run as ONNX: for tests of what builds and what is said of the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.backends.onnxruntime.session import OnnxSession, import_onnxruntime
from edgefn.compile.capture.capture import Capture, capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

WIDE: Mapping[str, TensorSpec] = {"x": TensorSpec("float32", ("batch", 8))}


def network(forward: Callable[..., Any], fill: Callable[[Any], object] = lambda network: None) -> Callable[[], Any]:
    """A builder of a network that `fill` gives its submodules, and whose forward(x) is `forward(network, x)`."""

    def builder() -> Any:
        import torch

        class Net(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                fill(self)

            def forward(self, x: torch.Tensor) -> Any:
                return forward(self, x)

        return Net()

    return builder


def session(builder: Callable[[], Any], inputs: Mapping[str, TensorSpec] = WIDE) -> EagerSession:
    """The eager session of a model called "net"."""
    return EagerSession(builder, ModelSpec("net", dict(inputs)))


def onnx_of(captured: Capture) -> OnnxSession:
    """The captured network as the portable artifact has it, opened by ONNX Runtime."""
    return OnnxSession(import_onnxruntime().InferenceSession(str(captured.onnx(20))))


def both(
    builder: Callable[[], Any], inputs: Mapping[str, TensorSpec] = WIDE
) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[Any]]]:
    """The outputs of the artifact and of eager PyTorch, for three rows of random numbers; the names are the spec's."""
    eager = session(builder, inputs)
    captured = capture(eager)
    arrays = {name: _random(tensor) for name, tensor in inputs.items()}
    found, wanted = onnx_of(captured).run(arrays), eager.run(arrays)
    assert list(found) == list(wanted) == list(captured.model.outputs)
    return found, wanted


def agree(builder: Callable[[], Any], inputs: Mapping[str, TensorSpec] = WIDE) -> list[str]:
    """The names of the outputs, once the artifact has given what eager PyTorch gives."""
    found, wanted = both(builder, inputs)
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-5)
    return list(found)


def _random(tensor: TensorSpec) -> Any:
    shape = [3 if isinstance(size, str) else size for size in tensor.shape]
    return np.random.default_rng(1).standard_normal(shape).astype(tensor.dtype)
