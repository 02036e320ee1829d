"""What forward() returns: each tensor in it has a name, and the artifact gives the same under the same names."""

from __future__ import annotations

import dataclasses
import sys
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edgefn.compile.capture.eager import EagerSession
from edgefn.errors import BuildError
from edgefn.spec import ModelSpec, TensorSpec
from tests.edgefn.compile.networks import WIDE, agree, network, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

X = np.arange(24, dtype=np.float32).reshape(3, 8)
Pair = namedtuple("Pair", ["first", "second"])


@dataclasses.dataclass
class Found:
    """A result as many repositories have it: fields that may be None, lists of tensors."""

    boxes: Any
    masks: Any = None
    features: Any = ()


class ModelOutput(OrderedDict[str, Any]):
    """A dict with attributes, as transformers returns it."""


def _names(result: Callable[[Any], Any]) -> list[str]:
    return list(session(network(lambda net, x: result(x))).run({"x": X}))


@pytest.mark.parametrize(
    ("result", "names"),
    [
        (lambda x: [x, [x, x]], ["output_0", "output_1_0", "output_1_1"]),
        (lambda x: (x, None, x), ["output_0", "output_2"]),
        (lambda x: {"boxes": [x, x], "masks": None}, ["boxes_0", "boxes_1"]),
        (lambda x: {"features": {"p3": x, "p4": (x,)}}, ["features_p3", "features_p4_0"]),
        (lambda x: OrderedDict([("0", x), ("pool", x)]), ["0", "pool"]),
        (lambda x: Found(x, None, [x, x]), ["boxes", "features_0", "features_1"]),
        (lambda x: Pair(x, (x, None)), ["first", "second_0"]),
        (lambda x: ModelOutput(logits=x, loss=None), ["logits"]),
        (lambda x: [{"boxes": x}, {"boxes": x}], ["output_0_boxes", "output_1_boxes"]),
    ],
    ids=[
        "nested list",
        "none",
        "list in dict",
        "dict in dict",
        "digits",
        "dataclass",
        "named tuple",
        "output",
        "dicts",
    ],
)
def test_every_tensor_has_a_name(result: Callable[[Any], Any], names: list[str]) -> None:
    """Names of containers inside each other are joined; None is no output, and moves no other's name."""
    assert _names(result) == names


def test_the_artifact_has_those_outputs() -> None:
    """Nested results, a tensor given twice, an input given back, a constant, a scalar and a bool are outputs."""

    def forward(net: Any, x: Any) -> Any:
        y = x * 2
        return {
            "f": [y, {"p": x + 1}],
            "none": None,
            "same": y,
            "x_": x,
            "ones": net.ones,
            "sum": x.sum(),
            "over": x > 0,
        }

    def fill(net: Any) -> None:
        import torch

        net.register_buffer("ones", torch.ones(3))

    assert agree(network(forward, fill)) == ["f_0", "f_1_p", "same", "x_", "ones", "sum", "over"]


def test_an_output_may_be_called_as_an_input() -> None:
    """The state of a stream comes in and goes out under one name; others are not touched."""
    inputs = {"x": WIDE["x"], "state": TensorSpec("float32", ("batch", 8))}

    def builder() -> Any:
        import torch

        net = torch.nn.Module()
        net.forward = lambda x, state: {"y": x + state, "state": x * 0.5 + state, "x.output": x * 3}
        return net

    assert agree(builder, inputs) == ["y", "state", "x.output"]


def test_a_cache_of_transformers_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """past_key_values is an object that no artifact returns; the report says how to build without it."""
    module = ModuleType("transformers.cache_utils")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    cache = type("DynamicCache", (type("Cache", (), {"__module__": module.__name__}),), {})
    eager = session(network(lambda net, x: ModelOutput(logits=x, past_key_values=cache())))
    assert list(eager.run({"x": X})) == ["logits"]
    assert eager.notes == ("output past_key_values is a cache and is left out: build the network with use_cache=False",)


def test_declared_outputs_pick_from_a_dict() -> None:
    """outputs= may name some of a dict's tensors; the others are not served."""
    outputs = {"b": WIDE["x"]}
    eager = EagerSession(network(lambda net, x: {"a": x, "b": x * 2, "c": x}), ModelSpec("net", dict(WIDE), outputs))
    assert {name: array[0, 1] for name, array in eager.run({"x": X}).items()} == {"b": 2}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (lambda x: x.to(dtype=_torch().complex64), r"output 'output' is complex.*torch\.view_as_real"),
        (lambda x: {"a": x.to_sparse()}, r"output 'a' is a sparse tensor.*\.to_dense\(\)"),
        (lambda x: {"a_0": x, "a": [x]}, r"two outputs called 'a_0'; rename one"),
        (lambda x: {"label": "cat", "a": x}, r"label: str; return tensors"),
        (lambda x: (None, []), "returned nothing to serve; return tensors"),
    ],
    ids=["complex", "sparse", "clash", "text", "nothing"],
)
def test_what_no_artifact_returns_is_refused(result: Callable[[Any], Any], message: str) -> None:
    """With the output's name and what to return instead."""
    with pytest.raises(BuildError, match=f"model net: .*{message}"):
        _names(result)


def _torch() -> Any:
    import torch

    return torch


def test_bfloat16_is_computed_in_float32() -> None:
    """Weights and outputs of bfloat16 become float32, which holds their values; the report says so."""

    def fill(net: Any) -> None:
        from torch import nn

        net.layers = nn.Sequential(nn.Linear(8, 4), nn.LayerNorm(4)).bfloat16()

    builder = network(lambda net, x: (net.layers(x), x.bfloat16()), fill)
    assert agree(builder) == ["output_0", "output_1"]
    eager = session(builder)
    assert {array.dtype.name for array in eager.run({"x": X}).values()} == {"float32"}
    assert eager.notes == ("4 tensors of bfloat16 became float32: the reference and every artifact compute in float32",)


def test_wrappers_hide_no_names() -> None:
    """torch.compile and DataParallel are taken off: forward(b, a) gets each input by its name."""

    def builder() -> Any:
        import torch

        class Net(torch.nn.Module):
            def forward(self, b: torch.Tensor, a: torch.Tensor) -> torch.Tensor:
                return a

        return torch.compile(torch.nn.DataParallel(Net()), backend="eager")

    inputs = {"a": WIDE["x"], "b": WIDE["x"]}
    assert session(builder, inputs).run({"a": X, "b": X + 1})["output"][0, 0] == 0
